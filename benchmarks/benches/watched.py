"""What being watched costs: jobs a second with nobody looking, scraped every five seconds, and with three viewers too."""

from benchmarks.benches.options import Options
from benchmarks.benches.print import ratio, show
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours, OursScraped, OursWatched
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account

COLUMNS = [
    ("jobs_per_s", "jobs/s", ".0f"),
    ("to_unseen", "÷ unseen", ".3f"),
    ("cpu_s_per_1000", "CPU-s per 1,000", ".2f"),
    ("redis_cpu_s_per_1000", "Redis CPU-s per 1,000", ".2f"),
]


def run(options: Options) -> None:
    """As `overhead`."""
    load = Load(
        jobs=150 if options.quick else 4000,
        concurrency=64,
        warm_up=32 if options.quick else 128,
        timeout_s=200,
    )
    account = Account(submit_delay_s=0.1, median_s=0.1, sigma=0)
    contenders = options.chosen([Ours, OursScraped, OursWatched])
    rows, every_repeat = compete(contenders, load, account, repeats=options.repeats, aof=options.aof)
    ratio(rows, "jobs_per_s", Ours.name, "to_unseen")
    note = (
        f"{load.jobs} jobs, a submit is answered in 100 ms, a task takes 100 ms. The CPU is that of all processes, "
        "`vton metrics` and `vton serve --dashboard` too."
    )
    show(
        "watched",
        "Metrics scraped every 5 s, and the dashboard with three viewers",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every_repeat,
        options=options,
        load=load,
    )
