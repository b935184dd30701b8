"""The two ends of `vton run`: until the first POST, and from the last picture on disk to the exit."""

from benchmarks.benches.options import Options
from benchmarks.benches.print import show
from benchmarks.frame.load import Load
from benchmarks.frame.ours import OursRun
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account

COLUMNS = [
    ("first_post_s", "start → first POST, s", ".2f"),
    ("exit_s", "last picture → exit, s", ".2f"),
]


def run(options: Options) -> None:
    """A small batch; Redis and the vendor are there before."""
    load = Load(jobs=20, timeout_s=60)
    account = Account(submit_delay_s=0.1, median_s=0.5, sigma=0)
    rows, every_repeat = compete(
        options.chosen([OursRun]), load, account, repeats=options.repeats, aof=options.aof
    )
    show(
        "edges",
        "The ends of a run",
        f"{load.jobs} pairs of addresses by `vton run`; Redis and the vendor are there before.",
        columns=COLUMNS,
        rows=rows,
        repeats=every_repeat,
        options=options,
        load=load,
    )
