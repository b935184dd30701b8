"""The fault file: rules that say where, when and how often something goes wrong; same seed, same faults."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeGuard

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobs.errors import ConfigError
from worker.simulator.words import HTTP_STATUSES, NOTHING_STATUSES, PLACES, RETRY_WORDS, SHAPE_WORDS, Value

_RULE_KEYS = frozenset({"at", "do", "when", "times", "each"})


_Count = Annotated[int, Field(strict=True, ge=1)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class When(BaseModel):
    """Which events a rule strikes; all that is given must hold. Ordinals count from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    ordinals: frozenset[_Count] | None = None
    every: _Count = 1
    first: _Count = Field(1, alias="from")
    last: _Count | None = Field(None, alias="to")
    request_ids: Annotated[frozenset[str], BeforeValidator(_listed)] | None = Field(None, alias="request_id")

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


class Rule(BaseModel):
    """One line of the script."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str
    do: str
    when: When = When()
    #: Strikes in all; None: no end.
    times: _Count | None = None
    #: Decide once per subject (a task, a picture, a request_id), then strike its first `each` events.
    each: _Count | None = None
    #: Every parameter of the fault, defaults filled in.
    params: Mapping[str, Any] = {}


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
        except ValidationError as error:
            raise ConfigError(f"{name}: rule {number}: {_first_of(error)}") from None
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
    known = {key: item[key] for key in _RULE_KEYS & item.keys()}
    params = {**PLACES[at][do].params, **implied, **_params(at, do, given)}
    return Rule.model_validate({**known, "do": do, "params": params})


def _first_of(error: ValidationError) -> str:
    """The first flaw, as one line."""
    flaw = error.errors(include_url=False)[0]
    where = " in ".join(f"{part!r}" for part in reversed(flaw["loc"]))
    return f"{where}: {flaw['input']!r}: {flaw['msg']}"


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
