"""What `vton run` does with default settings when the account's limits are high."""

from benchmarks.benches.options import Options
from benchmarks.benches.print import show
from benchmarks.frame.load import Load
from benchmarks.frame.ours import OursRun, OursRunFour
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account

COLUMNS = [
    ("jobs_per_s", "jobs/s", ".0f"),
    ("polls_per_task", "polls a task", ".2f"),
    ("disk_p99_s", "end → disk p99, s", ".2f"),
]


def run(options: Options) -> None:
    """As `overhead`, but nobody has set threads, polls or downloads."""
    load = Load(
        jobs=150 if options.quick else 2000,
        concurrency=64,
        warm_up=32 if options.quick else 128,
        timeout_s=200,
    )
    account = Account(submit_delay_s=0.1, median_s=0.1, sigma=0)
    rows, every_repeat = compete(
        options.chosen([OursRun, OursRunFour]), load, account, repeats=options.repeats, aof=options.aof
    )
    note = f"{load.jobs} jobs by `vton run`, a submit is answered in 100 ms, a task takes 100 ms; only the limits are set."
    show(
        "defaults",
        "Default settings, high limits",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every_repeat,
        options=options,
        load=load,
    )
