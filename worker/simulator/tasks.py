"""A task as the vendor's machine holds it, and how a poll or a callback words it."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from worker.simulator.faults import Strike

WAITING, DONE, PROCESSING, FAILED, MODERATED = 0, 1, 2, 3, 4

#: Odd statuses that mean "still working".
_SEEN_WORKING = frozenset(range(-5, 0))

Dialect = Literal["classic", "newer"]
CallbackShape = Literal["envelope", "bare", "main", "main-result"]
SHAPES: tuple[CallbackShape, ...] = ("envelope", "bare", "main", "main-result")

#: Share of its time that a task stands in the queue, without sub-tasks first, then with status 0.
_UNLISTED, _QUEUED = 0.1, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a task, decided when it is made."""

    #: Final `task_status`, raw.
    status: int | str = DONE
    #: `description` of the sub-tasks that have no picture.
    message: str = ""
    #: `task_status` while it is worked on.
    working: int = PROCESSING
    #: Sub-tasks; the last `failed` of them fail whatever `status` is.
    pictures: int = 1
    failed: int = 0
    #: How many times as long as drawn.
    slow: float = 1.0
    #: Polls that see status 1 without a picture.
    empty_polls: int = 0
    backwards: bool = False
    #: Never ends for the caller; the vendor frees its slot after so many seconds.
    stuck_s: float | None = None
    bare: bool = False
    extension: str = "jpg"

    @property
    def good(self) -> int:
        """Pictures that come out of it."""
        done = self.stuck_s is None and str(self.status) == str(DONE)
        return max(0, self.pictures - self.failed) if done else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One accepted order. Times are epoch seconds on the simulator's clock."""

    task_id: str
    #: As sent; empty when the caller gave none.
    request_id: str
    #: 1 for the first task of this ledger.
    ordinal: int
    created_s: float
    #: When it will leave the machine.
    due_s: float
    #: One per picture.
    sub_task_ids: tuple[str, ...]
    #: Slot → digest of the stored picture, or an http(s) address.
    inputs: Mapping[str, str]
    notify_url: str
    #: What picture names are joined to, ends in `/`.
    pictures_base: str
    outcome: Outcome = field(default_factory=Outcome)
    #: Pictures charged at creation, and of those given back at the end.
    charged: int = 1
    refunded: int = 0
    ended_s: float | None = None

    @property
    def bought(self) -> int:
        """Charges that stay."""
        return self.charged - self.refunded

    def encode(self) -> str:
        """As JSON text; `decode` reads it."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> "Task":
        """The task that `encode` wrote."""
        fields = json.loads(text)
        fields["sub_task_ids"] = tuple(fields["sub_task_ids"])
        fields["outcome"] = Outcome(**fields["outcome"])
        return cls(**fields)


def decide(strikes: Sequence[Strike], *, base: Outcome) -> Outcome:
    """The outcome that the task rules make of the account's usual one; later rules win."""
    outcome = base
    for strike in strikes:
        outcome = dataclasses.replace(outcome, **_CHANGES[strike.do](strike))
    return outcome


def _odd(strike: Strike) -> dict[str, Any]:
    status = strike.params["status"]
    return {"working" if status in _SEEN_WORKING else "status": status}


_CHANGES: Mapping[str, Callable[[Strike], dict[str, Any]]] = {
    "failed": lambda strike: {"status": FAILED, "message": strike.text("message")},
    "moderated": lambda strike: {"status": MODERATED, "message": strike.text("message")},
    "nothing": lambda strike: {"status": strike.count("status"), "message": "No result"},
    "stuck": lambda strike: {"stuck_s": strike.number("seconds")},
    "empty-image": lambda strike: {"empty_polls": strike.count("polls")},
    "backwards": lambda _: {"backwards": True},
    "odd": _odd,
    "slow": lambda strike: {"slow": strike.number("factor")},
    "partial": lambda strike: {"pictures": strike.count("pictures"), "failed": strike.count("failed")},
    "bare-ids": lambda _: {"bare": True},
    "png": lambda _: {"extension": "png"},
}


def results(
    task: Task,
    *,
    now_s: float,
    poll: int = 1,
    strings: bool = False,
    dialect: Dialect = "classic",
    silent: bool = False,
) -> dict[str, Any]:
    """The `result` object of a reply.

    Args:
        task: whose.
        now_s: the simulator's clock.
        poll: 1 for the first poll of this task.
        strings: `task_status` as text.
        dialect: the field names of the gateway's generation.
        silent: a task under way is half done all the time.
    """
    ended = task.ended_s is not None and task.outcome.stuck_s is None
    span = task.due_s - task.created_s
    progress = 1.0 if ended else min(0.99, (now_s - task.created_s) / span if span > 0 else 0.99)
    if task.outcome.backwards and poll % 2 == 0:
        ended, progress = False, _UNLISTED
    elif silent and not ended:
        progress = 0.5
    if not ended and progress < _UNLISTED:
        return {"task_id": task.task_id, "sub_task_results": []}
    parts = []
    for index, sub_task_id in enumerate(task.sub_task_ids):
        status, completion = _standing(task, index, ended=ended, progress=progress)
        good = ended and index < task.outcome.good
        parts.append(
            {
                "sub_task_id": sub_task_id,
                "task_status": str(status) if strings else status,
                "task_completion": completion,
                "url" if dialect == "newer" else "image": _picture(task, index, poll) if good else "",
                "error_msg" if dialect == "newer" else "description": task.outcome.message
                if ended and not good
                else "",
            }
        )
    return {"task_id": task.task_id, "sub_task_results": parts}


def _standing(task: Task, index: int, *, ended: bool, progress: float) -> tuple[int | str, float]:
    """`task_status` and `task_completion` of one sub-task."""
    if not ended:
        return (WAITING, 0) if progress < _QUEUED else (task.outcome.working, round(progress, 2))
    # The vendor sends the whole as 1 and as 1.0.
    whole: float = 1 if task.ordinal % 2 else 1.0
    survives = index < task.outcome.pictures - task.outcome.failed
    return task.outcome.status if survives else FAILED, whole


def _picture(task: Task, index: int, poll: int) -> str:
    if poll <= task.outcome.empty_polls:
        return ""
    name = f"p_{task.sub_task_ids[index]}"
    return name if task.outcome.bare else f"{task.pictures_base}{name}.{task.outcome.extension}"


def envelope(task: Task, result: Mapping[str, Any], *, dialect: Dialect = "classic") -> dict[str, Any]:
    """A whole reply around a result."""
    message = "messasge" if dialect == "newer" else "message"
    return {"code": 0, message: "Success", "request_id": task.request_id, "result": result}


def callback_body(
    task: Task, *, shape: CallbackShape, now_s: float, dialect: Dialect = "classic"
) -> dict[str, Any]:
    """What is posted to `notify_url`, in one of the four shapes met in the wild."""
    # A callback is written after the end, so it never shows the empty picture of the first polls.
    result = results(
        task, now_s=now_s, poll=task.outcome.empty_polls + 1 + task.outcome.empty_polls % 2, dialect=dialect
    )
    parts = result["sub_task_results"]
    match shape:
        case "envelope":
            return envelope(task, result, dialect=dialect)
        case "bare":
            return result
        case "main":
            return {"main_task_id": task.task_id, "sub_task_results": parts}
        case "main-result":
            return {"main_task_id": task.task_id, "result": {"sub_task_results": parts}}
