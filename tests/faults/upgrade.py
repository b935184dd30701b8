"""A real older version beside this one: its code out of the repository's history, its processes on the same ledger."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.faults.outcome import Outcome, SkippedError, scenario
from tests.faults.processes import Worker
from tests.faults.rig import ROOT, Rig, Setup
from tests.faults.verdict import judge
from tests.faults.versions import left_in_queues, waiting

#: The commit of 0.1.0: it knows no `clock` in the ledger, no predicted times, no drawer for other versions' messages.
FIRST_RELEASE = "667a42e"
#: Of the batch's pairs, when the new processes come and when the old ones go.
BOTH_FROM, NEW_ALONE_FROM = 60, 260
#: Queue → the event that shows its work.
DONE = {"submit": "submit.accepted", "collect": "image.saved"}


def older_tree(folder: Path) -> Path:
    """The packages of 0.1.0 in a folder of their own.

    Raises:
        SkippedError: this copy of the repository has no history.
    """
    tree = folder / "0.1.0"
    tree.mkdir()
    git = shutil.which("git")
    if git is None:
        raise SkippedError("0.1.0 is taken from the history, and there is no git")
    packed = subprocess.run(
        [git, "-C", str(ROOT), "archive", FIRST_RELEASE, "jobs", "worker"], capture_output=True, check=False
    )
    if packed.returncode:
        raise SkippedError("0.1.0 is taken from the history, and this copy has none")
    subprocess.run(["tar", "-x", "-C", str(tree)], input=packed.stdout, check=True)
    where = subprocess.run(
        [sys.executable, "-c", "import jobs, worker; print(jobs.__file__, worker.__file__)"],
        env={"PYTHONPATH": str(tree)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.count(str(tree)) == 2, f"not the older version: {where.stdout}"
    return tree


def _add(rig: Rig, queue: str, tree: Path) -> Worker:
    return rig.processes.add(queue, threads=4, env={"PYTHONPATH": str(tree)})


@scenario("versions", "0.1.0 at work, this version beside it, then alone")
def _upgraded(folder: Path) -> Outcome:
    """The batch begins under the old version; both share it; the old one is ended in the middle, by SIGTERM."""
    tree = older_tree(folder)
    with Rig(folder, Setup(submit=0, collect=0, in_flight=10)) as rig:
        old = [_add(rig, queue, tree) for queue in DONE]
        rig.processes.start()
        rig.until(rig.ready, "the old workers are ready")
        first = rig.enqueue("first", range(300), tree=tree)
        rig.until(lambda: rig.arrived(BOTH_FROM), "the old version submits")
        new = [_add(rig, queue, ROOT) for queue in DONE]
        rig.processes.start()
        # Each producer meets pairs of the other's batch.
        second = rig.enqueue("second", range(200, 400))
        third = rig.enqueue("third", range(350, 450), tree=tree)
        rig.until(lambda: rig.arrived(NEW_ALONE_FROM), "both submit")
        shared = {
            worker.name: rig.logged(event, worker)
            for workers in (old, new)
            for event, worker in zip(DONE.values(), workers, strict=True)
        }
        for worker in old:
            worker.restarted = False
            worker.signal(signal.SIGTERM, group=False)
        codes = [worker.wait() for worker in old]
        took = rig.finish(first, second, third)
        rig.until(lambda: not waiting(rig), "the queues are empty")
        rig.processes.stop()
        left = left_in_queues(rig)
        broken = [f"left in the queues: {left}"] if left else []
        broken += [f"{name} did nothing while both were there" for name, done in shared.items() if not done]
        broken += [f"an old worker ended with {code}" for code in codes if code]
        broken += [f"{rig.logged('actor.failed')} errors logged"] if rig.logged("actor.failed") else []
        return Outcome(
            verdict=judge(rig, first, second, third),
            faults=2,
            broken=broken,
            note=f"while both were there: {', '.join(f'{name} {done}' for name, done in shared.items())};"
            f" {took:.0f} s after the old one had ended",
        )
