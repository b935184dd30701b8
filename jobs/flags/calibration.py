"""What flags are worth in one shop: beside its own verdicts, and by which limits they would be worth more. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.config.settings import FlagSettings
from jobs.flags.rules import RULES, Rule, limit_of

#: Rejected pictures beyond a limit from which it is proposed: fewer are chance.
ENOUGH: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One picture that a person has judged."""

    #: See `ResultLine.measures`.
    measures: Mapping[str, float | None]
    rejected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What one limit of a flag finds among judged pictures."""

    limit: float
    #: Judged pictures beyond it, and those of them that were rejected.
    flagged: int
    rejected: int
    #: Rejected ones among the flagged; None when none is flagged.
    precision: float | None
    #: Flagged ones among all rejected pictures for which it could be computed; None when there are none.
    recall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One flag beside the verdicts."""

    flag: str
    #: Judged pictures for which it could be computed.
    judged: int
    today: Worth
    #: The limit that finds most at the precision wanted; None when too few are rejected to tell.
    proposed: Worth | None


def calibrated(judged: Sequence[Judged], limits: FlagSettings, *, precision: float) -> list[Calibration]:
    """Each flag with today's limit and the best one.

    Args:
        judged: pictures, each once.
        limits: those in force.
        precision: the least share of flagged pictures that people must have rejected for a limit to be proposed.
    """
    return [
        _calibration(name, rule, judged, limit_of(limits, name), precision) for name, rule in RULES.items()
    ]


def _calibration(
    name: str, rule: Rule, judged: Iterable[Judged], limit: float, precision: float
) -> Calibration:
    known = [(value, one.rejected) for one in judged if (value := one.measures.get(name)) is not None]
    today = _worth(rule, known, limit)
    worths = (_worth(rule, known, between) for between in _limits(rule, known))
    good = [each for each in worths if each.rejected >= ENOUGH and (each.precision or 0) >= precision]
    best = max(good, key=lambda each: (each.rejected, -each.flagged), default=None)
    return Calibration(flag=name, judged=len(known), today=today, proposed=best)


def _limits(rule: Rule, known: Sequence[tuple[float, bool]]) -> Iterable[float]:
    """Half way between a rejected picture and the next one that is less odd: a limit at a picture would be of that one."""
    values = sorted({value for value, _ in known}, reverse=rule.above)
    rejected = {value for value, bad in known if bad}
    for value, following in zip(values, [*values[1:], values[-1]] if values else [], strict=True):
        if value in rejected:
            yield float(f"{(value + following) / 2:.4g}")


def _worth(rule: Rule, known: Sequence[tuple[float, bool]], limit: float) -> Worth:
    flagged = [bad for value, bad in known if rule.raised(value, limit)]
    every = sum(bad for _, bad in known)
    return Worth(
        limit=limit,
        flagged=len(flagged),
        rejected=sum(flagged),
        precision=sum(flagged) / len(flagged) if flagged else None,
        recall=sum(flagged) / every if every else None,
    )
