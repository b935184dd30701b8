"""How much of a permitted rate is used, and whether any window is over it."""

from benchmarks.benches.options import Options
from benchmarks.benches.print import show
from benchmarks.frame.contenders import CeleryThreads, DramatiqThreads
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account

COLUMNS = [
    ("rate_used", "share of the rate used", ".3f"),
    ("windows_over", "windows over", ".0f"),
    ("max_in_window", "fullest window", ".0f"),
    ("jobs_per_s", "jobs/s", ".1f"),
    ("cpu_s_per_1000", "CPU-s per 1,000", ".2f"),
]


def run(options: Options) -> None:
    """20 and 200 pictures a second over 4 submit processes.

    The simulator counts and refuses nothing: one arrival 20 ms late makes a window of 1 s fuller than it may be, and what a
    contender does after a 429 would then be all that the share shows.
    """
    for rate in (20,) if options.quick else (20, 200):
        _run(rate, options)


def _run(rate: int, options: Options) -> None:
    seconds = 2 if options.quick else 15
    load = Load(
        jobs=rate * seconds, rate=rate, processes=4, concurrency=256, warm_up=8, timeout_s=60 + 5 * seconds
    )
    account = Account(submit_delay_s=0.05, median_s=0.1, sigma=0)
    contenders = options.chosen([Ours] if options.quick else [CeleryThreads, DramatiqThreads, Ours])
    rows, every_repeat = compete(contenders, load, account, repeats=options.repeats, aof=options.aof)
    note = f"{load.jobs} jobs at {rate}/s, 4 submit processes, sliding windows of 1 s over every POST that arrived."
    show(
        f"rate-{rate}",
        f"Rate {rate}/s",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every_repeat,
        options=options,
        load=load,
    )
