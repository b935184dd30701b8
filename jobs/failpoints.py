"""Failpoints: named places where a test may kill the process, to prove what a crash there costs.

Armed only by the environment variable VTON_FAILPOINT=<name>[:<nth time>], which is no setting; without it `reach` is
one comparison. A process dies as a power cut would have it: by SIGKILL, without a word.
"""

import os
import signal
from itertools import count

ARMED_BY = "VTON_FAILPOINT"

#: In the order of a job's way; tests kill at each.
NAMES = (
    "claimed",  # a permit is held, nothing is written
    "intent_written",  # the ledger says `submitting`, nothing is sent
    "body_half_sent",
    "body_sent",  # HiDream may have accepted, no reply was read
    "answered",  # the reply was read, nothing is written anywhere
    "replied",  # an accepted reply is on disk, nothing is recorded
    "accepted_recorded",  # recorded, the message is not acknowledged
    "polling",
    "picture_spooled",  # the temporary file is written
    "picture_renamed",  # the picture is in the store, not recorded
    "picture_recorded",
    "exporting",  # results.jsonl is about to be written
    "results_appended",  # lines are on disk, the checkpoint does not cover them
    "results_replaced",  # results.jsonl was made anew, the checkpoint is the former one's
)

#: Those of `vton prune`, in its order.
PRUNING = (
    "prune_begun",  # the batch is no batch any more, its rows are there
    "prune_rows",  # some of its rows are gone
    "prune_rest",  # all of its rows are gone, the rest is there
    "prune_files",  # the ledger has forgotten, a file is about to be removed
)
#: Those of `vton move-ledger`.
MOVING = (
    "move_paused",  # the old ledger's gate is paused, nothing is written
    "move_written",  # the new one is written, and none yet
    "move_closed",  # the old one is closed, the new one is none yet
)

_armed, _, _nth = os.environ.get(ARMED_BY, "").partition(":")
_passed = count(1)


def reach(name: str) -> None:
    """Kills the process if a test has armed this place."""
    if name == _armed and next(_passed) == int(_nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
