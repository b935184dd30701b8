"""How full the account's parallel slots are kept."""

from benchmarks.benches.options import Options
from benchmarks.benches.print import show
from benchmarks.frame.contenders import CeleryThreads, DramatiqThreads, Script
from benchmarks.frame.load import Load
from benchmarks.frame.ours import Ours, OursWithCallbacks, OursWithProgress
from benchmarks.frame.round import compete
from benchmarks.frame.services import Account

COLUMNS = [
    ("utilisation", "slots used", ".3f"),
    ("makespan_ratio", "makespan ÷ ideal", ".3f"),
    ("polls_per_task", "polls a task", ".1f"),
    ("disk_p50_s", "end → disk p50, s", ".2f"),
    ("disk_p99_s", "p99, s", ".2f"),
    ("refused", "429s", ".0f"),
]


def run(options: Options) -> None:
    """300 jobs, 10 slots, log-normal latency, 50 ms a submit; every 5 s of a 15 s task is every 0.67 s of a 2 s one."""
    median, every = (0.4, 0.134) if options.quick else (2.0, 0.67)
    load = Load(
        jobs=30 if options.quick else 300,
        slots=10,
        first_poll_s=every,
        every_s=every,
        latency_s=median,
        warm_up=5 if options.quick else 10,
        timeout_s=60 if options.quick else 200,
    )
    account = Account(submit_delay_s=0.05, slots=10, median_s=median, sigma=0.35)
    contenders = options.chosen(
        [Script, OursWithCallbacks]
        if options.quick
        else [Script, CeleryThreads, DramatiqThreads, Ours, OursWithProgress, OursWithCallbacks]
    )
    rows, every_repeat = compete(contenders, load, account, repeats=options.repeats, aof=options.aof)
    ceiling = 1.063 * median / (1.063 * median + 0.05)
    note = f"{load.jobs} jobs, 10 slots, median {median:g} s, sigma 0.35, 50 ms a submit; the ceiling is {ceiling:.3f}."
    show(
        "slots",
        "Slot utilisation",
        note,
        columns=COLUMNS,
        rows=rows,
        repeats=every_repeat,
        options=options,
        load=load,
    )
