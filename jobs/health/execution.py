"""Execution: what fails, whose it is, and whether that gets worse; by the newest ends."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from jobs.config.advice import command
from jobs.config.exit_codes import ExitCode
from jobs.health.facts import Ended, Facts
from jobs.health.rules import Assessment, Rule, State, ago, ok, warning, wrong
from jobs.records import Owner
from jobs.units import counted, duration

#: Fewer ends than this say nothing.
FEW_ENDS: Final = 10
#: Failures are getting worse when their share among the newer half of the ends is so large, and so many times the older's.
WORSE_SHARE: Final = 0.2
WORSE_TIMES: Final = 2.0
#: Of this share of the newest ends on nothing works, whoever's it is.
BROKEN_SHARE: Final = 0.8
#: Ends older than this do not say what fails now, ms.
OLD_ENDS_MS: Final = 1_800_000


def _nothing_ended(facts: Facts) -> Assessment | None:
    if facts.ends and facts.read_ms - facts.ends[0].at_ms <= OLD_ENDS_MS:
        return None
    if found := _invalid(facts):
        return found
    if not facts.open_batches:
        return ok("nothing is under way")
    quiet_ms = facts.read_ms - max(facts.begun_ms, facts.ends[0].at_ms if facts.ends else 0)
    if quiet_ms <= OLD_ENDS_MS:
        return ok("nothing has ended yet", figures={"ends": 0})
    evidence = f"nothing has ended for {duration(quiet_ms / 1000)}: what fails now is not known"
    return Assessment(
        state=State.UNKNOWN,
        evidence=evidence,
        action="see flow",
        code=ExitCode.ATTENTION,
        figures={"ends": 0},
    )


def _broken(facts: Facts) -> Assessment | None:
    newest = facts.ends[: 2 * FEW_ENDS]
    bad = [end for end in newest if end.bad]
    if len(newest) < FEW_ENDS or len(bad) < BROKEN_SHARE * len(newest):
        return None
    evidence = f"{len(bad)} of the last {len(newest)} ended without their picture: {_groups(bad)}"
    action, owner = _fix(facts, bad)
    # What has ended altogether goes no further, whatever became of it.
    code = ExitCode.ATTENTION if facts.open_batches else ExitCode.OK
    return wrong(evidence, action, code, owner, _shares(facts))


def _worse(facts: Facts) -> Assessment | None:
    half = len(facts.ends) // 2
    newer, older = _share(facts.ends[:half]), _share(facts.ends[half:])
    if half < FEW_ENDS or newer < WORSE_SHARE or newer < WORSE_TIMES * older:
        return None
    evidence = (
        f"getting worse: {newer:.0%} of the last {half} without their picture, {older:.0%} of the {half} before;"
        f" {_groups(facts.ends[:half])}"
    )
    action, owner = _fix(facts, facts.ends[:half])
    return warning(evidence, action, owner, figures=_shares(facts))


def _held(facts: Facts) -> Assessment | None:
    if not facts.unknown:
        return None
    since = "" if facts.unknown_ms is None else f", the first {ago(facts, facts.unknown_ms)}"
    evidence = f"{counted(facts.unknown, 'job')} may have been bought without a clear answer (unknown){since}"
    have = [batch.batch_id for batch in facts.batches if batch.counts.get("unknown", 0)]
    named = facts.named if not have else have[0] if len(have) == 1 else "BATCH"
    settle = command(f"settle {named}", simulated=facts.simulated)
    action = f"look for those times on HiDream's bill, then say what became of them: {settle}"
    return warning(evidence, action, figures=_shares(facts))


def _failing(facts: Facts) -> Assessment | None:
    bad = [end for end in facts.ends if end.bad]
    if not bad:
        return None
    action, owner = _fix(facts, bad)
    evidence = f"{len(bad)} of the last {len(facts.ends)} ended without their picture: {_groups(bad)}"
    return warning(evidence, action, owner, figures=_shares(facts))


def _invalid(facts: Facts) -> Assessment | None:
    """Rows that are bad themselves never become jobs: no end tells of them."""
    recent = [
        batch
        for batch in facts.batches
        if not batch.complete or facts.read_ms - (batch.completed_ms or 0) <= OLD_ENDS_MS
    ]
    invalid = sum(batch.counts.get("invalid", 0) for batch in recent)
    if not invalid:
        return None
    evidence = f"{invalid} of {counted(sum(batch.rows for batch in recent), 'row')} invalid: nothing is sent for them"
    action = "failed.csv says of each row what is bad"
    return warning(evidence, action, Owner.MERCH, figures={**_shares(facts), "invalid": invalid})


def _ends_well(facts: Facts) -> Assessment:
    ends = len(facts.ends)
    return ok(
        "the last one ended well" if ends == 1 else f"the last {ends} ended well", figures=_shares(facts)
    )


def _share(ends: Sequence[Ended]) -> float:
    return sum(end.bad for end in ends) / len(ends) if ends else 0.0


def _shares(facts: Facts) -> Mapping[str, float | None]:
    half = len(facts.ends) // 2
    return {
        "ends": len(facts.ends),
        "failed": sum(end.bad for end in facts.ends),
        "unknown": facts.unknown,
        "share_newer": _share(facts.ends[:half]) if half else None,
        "share_older": _share(facts.ends[half:]) if half else None,
    }


def _groups(ends: Sequence[Ended]) -> str:
    """Failures by owner and reason, the most frequent first."""
    found = Counter((end.owner, end.kind or end.state) for end in ends if end.bad)
    return ", ".join(f"{count} {kind} ({owner})" for (owner, kind), count in found.most_common(4))


def _fix(facts: Facts, ends: Sequence[Ended]) -> tuple[str, Owner]:
    """What to do about the most frequent of these failures, and whose it is."""
    found = Counter((end.owner, end.kind) for end in ends if end.bad)
    (owner, kind), _ = found.most_common(1)[0]
    retry = command(f"retry {facts.named}", simulated=facts.simulated)
    match owner:
        case Owner.MERCH:
            return "failed.csv says of each row which picture to replace", owner
        case Owner.VENDOR:
            return (
                f"{retry} once it has passed; if it lasts, ask HiDream with the task ids of results.csv",
                owner,
            )
        case Owner.OPS:
            return (
                f"see `{kind or 'no_answer'}` among the kinds of failure in docs/operations.md, then {retry}",
                owner,
            )


RULES: Final[Sequence[Rule]] = (_nothing_ended, _broken, _worse, _held, _failing, _invalid, _ends_well)
