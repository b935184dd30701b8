"""As much of PromQL as the alerts speak, over one page of metrics; counters have begun at 0 when the range did."""

import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import promql_parser
from prometheus_client.metrics_core import Metric
from promql_parser import MatchOp

Labels = frozenset[tuple[str, str]]
#: Labels → number; a number alone has none.
Vector = dict[Labels, float]
Value = Vector | float

_NONE: Labels = frozenset()
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_COUNTED: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": lambda one, other: one / other if other else math.nan,
}  # fmt: skip
_AGGREGATED: dict[str, Callable[[Iterable[float]], float]] = {"max": max, "min": min, "sum": sum}


def fires(expression: str, page: Iterable[Metric], now_s: float) -> bool:
    """Whether an alert's expression finds anything on the page; how long it has to is taken as passed."""
    samples = [sample for family in page for sample in family.samples]
    return bool(_value(promql_parser.parse(expression), samples, now_s))


def _value(node: Any, samples: list[Any], now_s: float) -> Value:  # noqa: PLR0911 one a kind of expression
    kind = type(node).__name__
    match kind:
        case "NumberLiteral":
            return float(node.val)
        case "ParenExpr":
            return _value(node.expr, samples, now_s)
        case "VectorSelector":
            return _selected(node, samples)
        case "MatrixSelector":
            return _selected(node.vector_selector, samples)
        case "AggregateExpr":
            return _aggregated(node, _vector(_value(node.expr, samples, now_s)))
        case "Call":
            return _called(node, samples, now_s)
        case "BinaryExpr":
            sides = (_value(node.lhs, samples, now_s), _value(node.rhs, samples, now_s))
            return _joined(str(node.op), *sides)
    raise NotImplementedError(kind)


def _vector(value: Value) -> Vector:
    return value if isinstance(value, dict) else {_NONE: value}


def _selected(node: Any, samples: list[Any]) -> Vector:
    def taken(labels: dict[str, str]) -> bool:
        for matcher in node.matchers.matchers:
            # The rules name whole values, with a bar between them.
            wanted = [matcher.value] if matcher.op == MatchOp.Equal else matcher.value.split("|")
            assert matcher.op in (MatchOp.Equal, MatchOp.Re)
            if labels.get(matcher.name, "") not in wanted:
                return False
        return True

    found = (sample for sample in samples if sample.name == node.name and taken(sample.labels))
    return {frozenset(sample.labels.items()): sample.value for sample in found}


def _aggregated(node: Any, vector: Vector) -> Vector:
    kept = set(node.modifier.labels) if node.modifier else set()
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, number in vector.items():
        groups[frozenset(pair for pair in labels if pair[0] in kept)].append(number)
    return {labels: float(_AGGREGATED[str(node.op)](numbers)) for labels, numbers in groups.items()}


def _called(node: Any, samples: list[Any], now_s: float) -> Value:
    match node.func.name:
        case "time":
            return now_s
        case "vector" | "rate" | "increase":
            return _vector(_value(node.args[0], samples, now_s))
    raise NotImplementedError(node.func.name)


def _joined(op: str, one: Value, other: Value) -> Value:
    if op == "and":
        return {labels: number for labels, number in _vector(one).items() if labels in _vector(other)}
    if op == "or":
        return _vector(other) | _vector(one)
    count, keep = _COUNTED.get(op), _COMPARED.get(op)
    if isinstance(one, float) and isinstance(other, float) and count is not None:
        return count(one, other)
    right = _vector(other)
    pairs = {
        labels: (number, right[labels] if isinstance(other, dict) else other)
        for labels, number in _vector(one).items()
        if not isinstance(other, dict) or labels in right
    }
    if isinstance(one, float):
        pairs = {labels: (one, number) for labels, number in right.items()}
    if count is not None:
        return {labels: count(*both) for labels, both in pairs.items()}
    assert keep is not None, op
    return {labels: both[0] for labels, both in pairs.items() if keep(*both)}
