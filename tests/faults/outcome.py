"""A scenario, and what came of one run of it."""

import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.scene import StuckError
from tests.faults.verdict import Verdict


class SkippedError(Exception):
    """This machine cannot play the scenario; the message says what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run of a scenario."""

    verdict: Verdict
    #: Faults that were really injected.
    faults: int
    #: Seconds until the work went on; None where nothing had to recover.
    recovery_s: float | None = None
    #: How it ended, or why it waits, as the product says it.
    ending: str = ""
    #: What else was measured, a few words.
    note: str = ""
    #: What the scenario itself wants and did not get, beside the invariants.
    broken: list[str] = field(default_factory=list)
    #: Why it was not played; empty: it was. Nothing is known of the invariants then.
    skipped: str = ""
    took_s: float = 0.0


def held(outcome: Outcome) -> bool:
    """Whether every invariant held; raises AssertionError with what did not."""
    assert [*outcome.verdict.broken, *outcome.broken] == [], outcome.ending
    verdict = outcome.verdict
    counts = (verdict.lost, verdict.bought_twice, verdict.forgotten or 0, verdict.over_windows)
    assert counts == (0, 0, 0, 0)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One fault of the list."""

    name: str
    #: The area it belongs to in the published table.
    area: str
    play: Callable[[Path], Outcome]
    #: Seconds that it waits with hardly anything to do, so that many of these are played at once; 0: it is busy.
    idle_s: float = 0


#: In the order of definition.
SCENARIOS: dict[str, Scenario] = {}


def scenario(
    area: str, name: str, *, idle_s: float = 0
) -> Callable[[Callable[[Path], Outcome]], Callable[[Path], Outcome]]:
    """Puts a function among the scenarios."""

    def register(play: Callable[[Path], Outcome]) -> Callable[[Path], Outcome]:
        SCENARIOS[name] = Scenario(name=name, area=area, play=play, idle_s=idle_s)
        return play

    return register


def played(one: Scenario, *, keep: Path | None = None) -> Outcome:
    """Plays a scenario in a folder of its own; what goes wrong is an outcome too.

    Args:
        one: the scenario.
        keep: where the folder is left for people to look at; None: it goes.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=keep))
    try:
        found = one.play(folder)
    except SkippedError as error:
        found = Outcome(verdict=Verdict(), faults=0, skipped=str(error))
    except StuckError as error:
        found = Outcome(verdict=Verdict(broken=[f"stuck: {error}"]), faults=0)
    except Exception:  # noqa: BLE001 one broken scenario must not hide the others
        found = Outcome(verdict=Verdict(broken=[traceback.format_exc(limit=-3)]), faults=0)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return Outcome(
        verdict=found.verdict,
        faults=found.faults,
        recovery_s=found.recovery_s,
        ending=_without_place(found.ending, folder),
        note=_without_place(found.note, folder),
        broken=[_without_place(line, folder) for line in (*found.verdict.broken, *found.broken)],
        skipped=found.skipped,
        took_s=time.monotonic() - began,
    )


def _without_place(text: str, folder: Path) -> str:
    """What is written to the documents says nothing of the machine it was played on; a name may have been cut short."""
    return re.sub(rf"{re.escape(str(folder.parent))}/[\w-]*/?", "", text)
