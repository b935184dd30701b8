"""Every trouble that can befall a shop: how it is made, and what `vton status`, notices and alerts say of it.

`docs/troubles.md` is this list. A trouble that somebody does not name says why not.
"""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from jobs.gate.account import count_bad_answer, doubt, pause
from jobs.notices.notice import Event
from jobs.records import Owner
from jobs.results.exporter import UnwrittenError
from tests.troubles.world import NAME, World

#: Once a judgement is `wrong` for ten minutes, and `warning` for half an hour, whatever it is.
WRONG, LOOK = "VtonNotWell", "VtonToBeLookedAt"
WORKERS = (Event.WORKERS,)
SAID = (Event.WRONG,)
STARTS = "ops: start the workers: your service of them, or vton run MANIFEST"
RESTART = "ops: read the {} workers' log, then start them again"
LATE = "ops: take out what can wait (vton cancel evening), or move the deadline"
RESTORE = "ops: restore it, or accept that by --accept-new-ledger at the next run"
RETRY = (
    "vendor: vton retry evening once it has passed; if it lasts, ask HiDream with the task ids of results.csv"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One trouble. A column without an entry has the reason why in `none`."""

    name: str
    make: Callable[[World], object]
    #: Which judgement says it, its state, and how its action begins, with its owner; empty: none does.
    judged: str = ""
    state: str = ""
    action: str = ""
    notices: tuple[Event, ...] = ()
    #: All alerts that fire, the one that names it first.
    alerts: tuple[str, ...] = ()
    #: Column → why nothing stands in it.
    none: dict[str, str] | None = None


def trouble(  # noqa: PLR0917 a row of the table
    name: str, make: Callable[[World], object], judged: str = "", action: str = "",
    notices: tuple[Event, ...] = (), alerts: tuple[str, ...] = (), **none: str,
) -> Trouble:  # fmt: skip
    """A row; `judged` is the judgement and its state."""
    which, _, state = judged.partition(" ")
    return Trouble(
        name=name,
        make=make,
        judged=which,
        state=state,
        action=action,
        notices=notices,
        alerts=alerts,
        none=none,
    )


# -- processes: real ones, which say that they live and are killed -------------------------------------------


def submit_killed(world: World) -> None:
    world.evening()
    submit, _ = world.start(("submit", "h1"), ("collect", "h1"))
    world.strike(submit)
    world.counted.submits.clear()


def collect_killed(world: World) -> None:
    world.evening()
    _, collect = world.start(("submit", "h1"), ("collect", "h1"))
    world.strike(collect)


def all_killed(world: World) -> None:
    world.evening()
    world.strike(*world.start(("submit", "h1"), ("collect", "h1")))
    world.counted.submits.clear()


def host_cut_off(world: World) -> None:
    """What is stopped lives and is not heard, as behind a cut cable."""
    world.evening()
    world.start(("submit", "h1"), ("collect", "h1"))
    world.strike(*world.start(("submit", "h2"), ("collect", "h2")), with_signal=signal.SIGSTOP)


def workers_dying(world: World) -> None:
    world.evening()
    world.start(("submit", "h1"), ("collect", "h1"))
    world.strike(*world.start(*[("submit", "h1")] * 3))


# -- the account ---------------------------------------------------------------------------------------------


def breaker(reason: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.evening()
        world.answered("trip", reason)

    return make


def vendor_away(world: World) -> None:
    world.evening()
    assert world.driver.ledger.run(count_bad_answer("vendor", "HTTP 503", enough=1))


def pictures_away(world: World) -> None:
    world.evening()
    assert world.driver.ledger.run(doubt("pictures", "no picture can be fetched: ConnectError"))


def answered(effect: str, why: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.evening()
        world.answered(effect, why)

    return make


def paused(why: str, *, free_bytes: int | None = None) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.evening()
        assert world.driver.ledger.run(pause(why))
        if free_bytes is not None:
            world.more["pictures"] = {"min_free_bytes": free_bytes}

    return make


def disk_nearly_full(world: World) -> None:
    """The floor comes near, where nobody can fill a disk."""
    world.evening()
    world.more["pictures"] = {"min_free_bytes": int(shutil.disk_usage(world.folder).free * 0.7)}


def budget(span: str) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.evening()
        world.limits[f"max_images_per_{span}"] = 1

    return make


# -- time ----------------------------------------------------------------------------------------------------


def deadline(seconds: int) -> Callable[[World], None]:
    def make(world: World) -> None:
        world.evening(60)
        world.driver.ledger.set_deadline(NAME, world.driver.ledger.now_ms() + seconds * 1000)

    return make


def nothing_sent(world: World) -> None:
    world.evening()
    world.later(300)
    world.asked()
    world.counted.submits.clear()


def nothing_ends(world: World) -> None:
    world.evening(1)
    world.later(900)
    world.asked()


def nobody_asks(world: World) -> None:
    world.evening()
    for name in world.driver.members("due"):
        world.driver.score("due", name, world.driver.ledger.now_ms() - 120_000)


def no_batch_for_a_day(world: World) -> None:
    world.evening(1, under_way=0)
    world.driver.succeeded()
    assert world.driver.ledger.deactivate(NAME, world.driver.ledger.last_entry(NAME))
    world.later(27 * 3600)


# -- jobs ----------------------------------------------------------------------------------------------------


def poison(world: World) -> None:
    world.evening()
    world.driver.succeeded()
    world.counted.tasks.labels("succeeded").inc(20)
    world.end_badly("set_aside", Owner.OPS)


def nearly_all_fail(world: World) -> None:
    world.evening(24)
    world.end_badly("task_failed", Owner.VENDOR, 20)


def unknown_held(world: World) -> None:
    world.evening(6)
    world.driver.unknown()
    world.later(4000)
    world.driver.succeeded()
    world.asked()


# -- the ledger, files, manifests ----------------------------------------------------------------------------


def redis_away(world: World) -> None:
    world.evening()
    world.away = True


def ledger_lost(world: World) -> None:
    world.evening()
    world.lose_ledger()


def ledger_older(world: World) -> None:
    world.evening()
    world.lose_ledger(orders=7)


def export_fails(world: World) -> None:
    world.evening(1, under_way=0)
    world.driver.failed(retryable=False)
    (world.folder / "out").write_text("a file where the folder should be")
    with pytest.raises((UnwrittenError, OSError)):
        world.session.exporter.export(NAME)
    world.later(700)


def read_in_part(world: World) -> None:
    world.evening(seal=False)
    world.later(20)


def two_versions(world: World) -> None:
    world.evening()
    world.versions = ("0.1.0", "0.2.0")


def no_receiver(world: World) -> None:
    world.evening()
    world.more["callbacks"] = {"public_url": "https://shop.example/vton", "secret": "k" * 32}


TROUBLES = (
    trouble("the only submit worker is killed (kill -9)", submit_killed, "liveness wrong",
            "ops: start it: dramatiq worker.app --queues submit", WORKERS,
            ("VtonNoSubmitWorker", "VtonNobodySubmits", WRONG)),
    trouble("the only collect worker is killed (kill -9)", collect_killed, "liveness wrong",
            "ops: start it: dramatiq worker.app --queues collect", WORKERS, ("VtonNoCollectWorker", WRONG)),
    trouble("every worker is killed", all_killed, "liveness wrong", STARTS, WORKERS,
            ("VtonNoSubmitWorker", "VtonNoCollectWorker", "VtonNobodySubmits", WRONG)),
    trouble("one host is cut off, others work", host_cut_off, "liveness warning",
            "ops: look whether it is up and reaches Redis; the others take over what it had begun", WORKERS,
            ("VtonHostSilent", LOOK)),
    trouble("a pair that kills its workers", workers_dying, "liveness warning",
            "ops: read the log of that host for what kills them: memory, or one picture that they die of", WORKERS, (LOOK,)),
    trouble("the token is revoked or gone", breaker("token"), "liveness wrong",
            "ops: a new token (HIDREAM_TOKEN), then vton resume", (Event.BREAKER,), ("VtonGateNeedsAPerson", WRONG)),
    trouble("credits are out", breaker("credits"), "flow wrong", "ops: buy credits, then vton resume",
            (Event.BREAKER,), ("VtonGateNeedsAPerson", WRONG)),
    trouble("the module is refused", breaker("module"), "flow wrong",
            "ops: look at hidream.submit_path and the account's module, then vton resume", (Event.BREAKER,),
            ("VtonGateNeedsAPerson", WRONG)),
    trouble("HiDream is away (5xx)", vendor_away, "flow wrong",
            "vendor: ask HiDream; it is tried again by itself, at once by vton resume", (Event.BREAKER,),
            ("VtonGateShut", WRONG)),
    trouble("HiDream is not reached (connection refused)", answered("unsent", "ConnectError"), "flow wrong",
            "ops: look at DNS, network and hidream.base_url (vton doctor); it is tried again by itself", SAID,
            ("VtonGateShut", WRONG)),
    trouble("Redis' replicas do not keep up", answered("replicas", "0 of 1 replicas have it"), "flow wrong",
            "ops: look at Redis' replicas (vton doctor); it is tried again by itself", SAID, ("VtonGateShut", WRONG)),
    trouble("the host of the pictures is away", pictures_away, "flow wrong",
            "vendor: ask HiDream; it is tried again by itself, at once by vton resume", (Event.BREAKER,),
            ("VtonGateShut", WRONG)),
    trouble("throttled (429)", answered("throttle", "HTTP 429"), "flow warning", "ops: nothing: it ends in", (),
            ("VtonGateShut", LOOK),
            notice="it ends by itself; what it costs in time is `deadline.danger`"),
    trouble("a person has paused the account", paused("stocktaking"), "flow wrong",
            "ops: look at the reason, then vton resume", (Event.PAUSED,), ("VtonGateNeedsAPerson", WRONG)),
    trouble("the disk is full", paused("disk full", free_bytes=10**15), "flow wrong",
            "ops: look at the reason, then vton resume", (Event.PAUSED,),
            ("VtonGateNeedsAPerson", "VtonDiskNearlyFull", WRONG)),
    trouble("the disk is nearly full", disk_nearly_full, alerts=("VtonDiskNearlyFull",),
            status="a disk is one host's: `vton doctor` says it there",
            notice="`gate.paused` says it before a picture would be lost"),
    trouble("the day's budget is reached", budget("day"), "flow wrong",
            "ops: raise it and start the workers again, or wait for the next UTC day", SAID,
            ("VtonBudgetReached", WRONG)),
    trouble("the batch's budget is reached", budget("batch"), "flow wrong",
            "ops: raise it and start the workers again, or wait for the next UTC day", SAID,
            ("VtonBudgetReached", WRONG)),
    trouble("the deadline slips", deadline(120), "flow wrong", LATE, (Event.DEADLINE,),
            ("VtonDeadlineInDanger", WRONG)),
    trouble("the deadline is over", deadline(-60), "flow wrong", LATE, (Event.DEADLINE,),
            ("VtonDeadlineInDanger", WRONG)),
    trouble("a worker that lives and sends nothing", nothing_sent, "flow wrong", RESTART.format("submit"), WORKERS,
            ("VtonNobodySubmits", WRONG)),
    trouble("tasks that never end", nothing_ends, "flow wrong",
            "vendor: ask HiDream about the newest task ids; if it shows them as ended, read the collect workers' log",
            SAID, (WRONG,)),
    trouble("tasks that nobody asks about", nobody_asks, "liveness wrong", RESTART.format("collect"), WORKERS, (WRONG,)),
    trouble("a poison pair", poison, "execution warning",
            "ops: see `set_aside` among the kinds of failure in docs/operations.md, then vton retry evening",
            notice="the others go on: `batch.gaps` says it at the end",
            alert="one pair is no alarm: `VtonManyTasksFail` from a fifth of them on"),
    trouble("nearly everything fails", nearly_all_fail, "execution wrong", RETRY, SAID, ("VtonManyTasksFail",)),
    trouble("`unknown` is held for over an hour", unknown_held, "execution warning",
            "ops: look for those times on HiDream's bill, then say what became of them: vton settle evening",
            (Event.UNKNOWN,), ("VtonUnknownRows",)),
    trouble("Redis is away", redis_away, "liveness wrong",
            "ops: start Redis, or fix redis.url (VTON_REDIS__URL); workers go on by themselves", (),
            ("VtonLedgerAway",),
            notice="who has said what is agreed upon in Redis; a run that ends by it says `batch.stopped`"),
    trouble("the ledger is lost", ledger_lost, "flow wrong", RESTORE, SAID,
            alert="a page that only Redis is asked for cannot tell it from a new one"),
    trouble("the ledger is an older one", ledger_older, "flow wrong", RESTORE, SAID,
            alert="a page that only Redis is asked for cannot tell it from the newest"),
    trouble("files cannot be written", export_fails, "liveness wrong",
            "ops: vton results evening: it writes them, or says what it cannot write to", SAID, (WRONG,)),
    trouble("a manifest was read in part", read_in_part, "liveness wrong",
            "ops: give the same manifest again: vton enqueue MANIFEST; it goes on", SAID, (WRONG,)),
    trouble("no batch since a day", no_batch_for_a_day, alerts=("VtonNoBatchForADay",),
            status="nobody has said how often a batch is due",
            notice="who does not run says nothing: a dead man's switch does"),
    trouble("two versions work side by side", two_versions, "liveness warning",
            "ops: start the older ones again from the new version", (), (LOOK,), notice="nothing stands still"),
    trouble("nobody receives callbacks", no_receiver, "liveness warning",
            "ops: start vton serve, or leave callbacks.public_url empty", (), (LOOK,),
            notice="nothing stands still: results are asked for"),
)  # fmt: skip
