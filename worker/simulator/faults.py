"""The fault file: rules that say where, when and how often something goes wrong; same seed, same faults."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import yaml

from jobs.errors import ConfigError
from worker.simulator.words import HTTP_STATUSES, NOTHING_STATUSES, PLACES, RETRY_WORDS, SHAPE_WORDS, Value

_RULE_KEYS = frozenset({"at", "do", "when", "times", "each"})
_WHEN_KEYS = frozenset({"probability", "ordinals", "every", "from", "to", "request_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which events a rule strikes; all that is given must hold. Ordinals count from 1."""

    probability: float = 1.0
    ordinals: frozenset[int] | None = None
    every: int = 1
    first: int = 1
    last: int | None = None
    request_ids: frozenset[str] | None = None

    def matches(self, ordinal: int, request_id: str, chance: float) -> bool:
        """Whether the event with this ordinal is struck; `chance` is drawn from 0 ≤ x < 1."""
        return (
            (self.ordinals is None or ordinal in self.ordinals)
            and ordinal % self.every == 0
            and ordinal >= self.first
            and (self.last is None or ordinal <= self.last)
            and (self.request_ids is None or request_id in self.request_ids)
            and chance < self.probability
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the script."""

    at: str
    do: str
    when: When = field(default_factory=When)
    #: Strikes in all; None: no end.
    times: int | None = None
    #: Decide once per subject (a task, a picture, a request_id), then strike its first `each` events.
    each: int | None = None
    #: Every parameter of the fault, defaults filled in.
    params: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault that happens now."""

    do: str
    params: Mapping[str, Value] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """A numeric parameter."""
        return float(self.params[name])

    def count(self, name: str) -> int:
        """A whole-number parameter."""
        return int(self.params[name])

    def text(self, name: str) -> str:
        """A parameter as text."""
        return str(self.params[name])


class Script:
    """The rules at work, with their counts."""

    def __init__(self, rules: tuple[Rule, ...] = (), *, seed: int = 0) -> None:
        self.rules = rules
        self._seed = seed
        #: Per rule: events (or subjects, under `each`) seen.
        self._seen = [0] * len(rules)
        #: Per rule: strikes left per subject, under `each`.
        self._left: list[dict[str, int]] = [{} for _ in rules]
        #: Per rule: strikes.
        self.struck = [0] * len(rules)

    def strike(self, at: str, *, request_id: str = "", subject: str = "") -> Strike | None:
        """The fault of this event: the first rule that strikes; the others count the event too."""
        strikes = self.strikes(at, request_id=request_id, subject=subject, most=1)
        return strikes[0] if strikes else None

    def strikes(
        self, at: str, *, request_id: str = "", subject: str = "", most: int | None = None
    ) -> list[Strike]:
        """The faults of this event in the order of the rules, `most` of them."""
        found: list[Strike] = []
        for index, rule in enumerate(self.rules):
            if rule.at != at or not self._matches(index, rule, request_id, subject):
                continue
            if (most is not None and len(found) >= most) or (
                rule.times is not None and self.struck[index] >= rule.times
            ):
                continue
            if rule.each is not None:
                self._left[index][subject] -= 1
            self.struck[index] += 1
            found.append(Strike(do=rule.do, params=rule.params))
        return found

    def counts(self) -> dict[str, int]:
        """Strikes so far by `place:fault`."""
        counts: Counter[str] = Counter()
        for rule, struck in zip(self.rules, self.struck, strict=True):
            counts[f"{rule.at}:{rule.do}"] += struck
        return dict(counts)

    def _matches(self, index: int, rule: Rule, request_id: str, subject: str) -> bool:
        if rule.each is not None and subject in self._left[index]:
            return self._left[index][subject] > 0
        self._seen[index] += 1
        ordinal = self._seen[index]
        chance = 0.0
        if rule.when.probability < 1:
            # One generator per event, so that a rule's luck does not depend on what other rules have drawn.
            chance = random.Random(f"{self._seed}:{index}:{ordinal}").random()  # noqa: S311 dice, no secret
        matches = rule.when.matches(ordinal, request_id, chance)
        if rule.each is not None:
            self._left[index][subject] = rule.each if matches else 0
        return matches


def parse_rules(text: str, *, name: str = "faults") -> tuple[Rule, ...]:
    """Reads a fault script, YAML or JSON.

    Args:
        text: a list of rules; empty: none.
        name: what to call the script in an error, e.g. its path.

    Raises:
        ConfigError: not YAML, an unknown word or a value that cannot be; one line that names the rule.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not readable as YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return ()
    if not isinstance(content, list):
        raise ConfigError(f"{name}: must be a list of rules")
    rules = []
    for number, item in enumerate(content, start=1):
        try:
            rules.append(_rule(item))
        except ValueError as error:
            raise ConfigError(f"{name}: rule {number}: {error}") from None
    return tuple(rules)


def _rule(item: Any) -> Rule:
    if not isinstance(item, dict) or not {"at", "do"} <= item.keys():
        raise ValueError("must be a mapping with `at` and `do`")
    at, given = item["at"], {key: value for key, value in item.items() if key not in _RULE_KEYS}
    if not isinstance(at, str) or at not in PLACES:
        raise ValueError(f"unknown place {at!r} (known: {', '.join(PLACES)})")
    do, implied = _fault(at, item["do"])
    if do not in PLACES[at]:
        raise ValueError(f"unknown fault {do!r} at {at} (known: {', '.join(PLACES[at])})")
    return Rule(
        at=at,
        do=do,
        when=_when(item.get("when", {})),
        times=_positive("times", item["times"]) if "times" in item else None,
        each=_positive("each", item["each"]) if "each" in item else None,
        params={**PLACES[at][do].params, **implied, **_params(at, do, given)},
    )


def _fault(at: str, do: Any) -> tuple[str, dict[str, Value]]:
    """The fault's name; a bare HTTP status is short for the fault that answers with it."""
    name = str(do)
    if name in PLACES[at] or not (name.isdigit() and len(name) == len("500")):
        return name, {}
    short = "status-before" if at == "submit" else "status"
    return short, {"status": int(name)}


def _params(at: str, do: str, given: Mapping[Any, Any]) -> dict[str, Value]:
    known = PLACES[at][do].params
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"unknown parameter {name!r} of {do} (known: {', '.join(known) or 'none'})")
        if not _fits(do, name, value, known[name]):
            raise ValueError(f"{name}: {value!r} cannot be")
    return dict(given)


def _fits(do: str, name: str, value: Any, default: Value) -> bool:
    """Whether a parameter can have this value; most follow the type of their default."""
    whole = type(value) is int
    if name == "retry_after":
        return _number(value) or value in RETRY_WORDS
    if name == "shape":
        return value in SHAPE_WORDS
    if name == "status":
        if do == "odd":
            return whole or isinstance(value, str)
        return whole and value in (NOTHING_STATUSES if do == "nothing" else HTTP_STATUSES)
    if isinstance(default, float):
        return _number(value)
    least = 1 if name == "pictures" else 0
    return type(value) is type(default) and (not isinstance(value, int) or value >= least)


def _number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _when(item: Any) -> When:
    if not isinstance(item, dict):
        raise ValueError("when: must be a mapping")  # noqa: TRY004 every flaw of a rule is raised the same way
    for key in item:
        if key not in _WHEN_KEYS:
            raise ValueError(f"when: unknown word {key!r} (known: {', '.join(sorted(_WHEN_KEYS))})")
    probability = item.get("probability", 1.0)
    if not _number(probability) or probability > 1:
        raise ValueError(f"when: probability: {probability!r} is not between 0 and 1")
    ids = item.get("request_id")
    ids = [ids] if isinstance(ids, str) else ids
    if ids is not None and not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
        raise ValueError("when: request_id: must be a text or a list of them")
    ordinals = item.get("ordinals")
    if ordinals is not None and not isinstance(ordinals, list):
        raise ValueError("when: ordinals: must be a list of numbers")
    return When(
        probability=float(probability),
        ordinals=None
        if ordinals is None
        else frozenset(_positive("when: ordinals", one) for one in ordinals),
        every=_positive("when: every", item.get("every", 1)),
        first=_positive("when: from", item.get("from", 1)),
        last=_positive("when: to", item["to"]) if "to" in item else None,
        request_ids=None if ids is None else frozenset(ids),
    )


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: {value!r} is not a whole number from 1 up")
    return value
