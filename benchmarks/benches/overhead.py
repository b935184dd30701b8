"""What a whole job costs where the account sets no limit."""

from benchmarks.benches.options import Options
from benchmarks.benches.print import ratio, show
from benchmarks.frame.contenders import Arq, CeleryPrefork, CeleryThreads, DramatiqThreads, RqPool, Script
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours, OursTwoCollect
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account

COLUMNS = [
    ("jobs_per_s", "jobs/s", ".0f"),
    ("to_floor", "÷ floor", ".2f"),
    ("cpu_s_per_1000", "CPU-s per 1,000", ".2f"),
    ("redis_cpu_s_per_1000", "Redis CPU-s per 1,000", ".2f"),
    ("polls_per_task", "polls a task", ".2f"),
    ("disk_p99_s", "end → disk p99, s", ".2f"),
    ("rss_mb", "RSS, MB", ".0f"),
]


class Floor(Script):
    """The same script with nothing to wait for."""

    name = "floor: asyncio httpx"


def run(options: Options) -> None:
    """Submit answered in 100 ms, a task takes 100 ms; submit, poll, download, decode, fsync, record."""
    load = Load(
        jobs=150 if options.quick else 2000,
        concurrency=64,
        first_poll_s=0.1,
        every_s=0.05,
        warm_up=32 if options.quick else 128,
        timeout_s=120,
    )
    account = Account(submit_delay_s=0.1, median_s=0.1, sigma=0)
    contenders = [Floor, Arq, Ours, OursTwoCollect]
    if not options.quick:
        contenders = [Floor, Arq, CeleryThreads, CeleryPrefork, DramatiqThreads, RqPool, Ours, OursTwoCollect]
    rows, every_repeat = compete(
        options.chosen(contenders), load, account, repeats=options.repeats, aof=options.aof
    )
    ratio(rows, "jobs_per_s", Floor.name, "to_floor")
    note = (
        f"{load.jobs} jobs, a submit is answered in 100 ms, a task takes 100 ms. 64 jobs in hand (Celery prefork and RQ: "
        "32 processes; 64 were no faster and took 3 GB). Ours: one submit process."
    )
    show(
        "overhead",
        "Overhead without limits",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every_repeat,
        options=options,
        load=load,
    )
