"""The rules of flags: what is measured, on which side of its limit it is raised, and how that is said."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from jobs.config.settings import FlagSettings
from jobs.records import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One flag."""

    #: Its evidence in words, from the value that was measured.
    says: Callable[[float], str]
    #: It is raised above its limit; else below.
    above: bool = False

    def raised(self, value: float, limit: float) -> bool:
        """Whether a value is beyond the limit; at the limit it is."""
        return value >= limit if self.above else value <= limit


#: A flag's id, which is also the name of its limit in the settings, in the order in which they are listed.
RULES: Final[Mapping[str, Rule]] = {
    "unchanged": Rule(says=lambda value: f"{value:.1%} of the picture differs from the person's"),
    "is_garment": Rule(says=lambda value: f"{value:.1%} of the picture differs from the garment's"),
    "same_as_row": Rule(says=lambda value: f"{value:.1%} of the picture differs from another row's"),
    "blank": Rule(says=lambda value: f"its brightness varies by {value:.1f} of 255"),
    "dark": Rule(says=lambda value: f"95% of it are no brighter than {value:.0f} of 255"),
    "grey": Rule(says=lambda value: f"it has {value:.0%} of the person's colourfulness"),
    "blurred": Rule(says=lambda value: f"it has {value:.0%} of the sharpness of the batch's middle picture"),
    "small": Rule(says=lambda value: f"its shorter side has {value:.0f} pixels"),
    "aspect": Rule(says=lambda value: f"its shape is {value:.1%} off the person's", above=True),
    "colour": Rule(
        says=lambda value: f"the garment's colour is {value:.1f} (CIEDE2000) away from what has changed",
        above=True,
    ),
}


def raised(
    values: Mapping[str, float | None], limits: FlagSettings, more: Mapping[str, str] | None = None
) -> Iterator[Flag]:
    """The flags of measured values, in the order of RULES; `more`: id → words behind its evidence."""
    for name, rule in RULES.items():
        value, limit = values.get(name), limit_of(limits, name)
        if value is not None and rule.raised(value, limit):
            evidence = rule.says(value) + (more or {}).get(name, "")
            yield Flag(id=name, value=value, limit=limit, evidence=evidence)


def limit_of(limits: FlagSettings, name: str) -> float:
    """The limit of a flag."""
    limit: float = getattr(limits, name)
    return limit
