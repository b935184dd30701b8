"""What `vton pairs` says when it has read everything: counts, what was left out and why, the next command."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobs.cli.output import print_json
from jobs.cli.suggestions import nearest_kind
from jobs.products.pairing import Counts, Reason
from jobs.products.people import Person
from jobs.products.records import GARMENT_SLOTS
from jobs.products.sources import Source
from jobs.products.written import Body
from jobs.records import shown
from jobs.units import counted

#: Unknown categories that are listed; all of them with --json.
_LISTED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A person whose consent ends too early."""

    person: Person
    #: The deadline.
    until: datetime

    @property
    def sentence(self) -> str:
        """A sentence."""
        person = self.person
        return (
            f"{person.place}: {person.name}: consent ends with {person.consent_until}, before the deadline "
            f"({self.until:%Y-%m-%d %H:%M}); no pair is made"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything there is to say."""

    manifest: Path
    sources: Sequence[Source]
    counts: Counts
    #: Those who could be chosen.
    people: Sequence[Person]
    refused: Sequence[Refused]

    def print(self, body: Body | None, *, as_json: bool) -> None:
        """Prints it; without a body nothing was written."""
        if as_json:
            print_json(self._content(body))
            return
        for line in self._lines(body):
            sys.stdout.write(shown(line) + "\n")

    def _lines(self, body: Body | None) -> Iterator[str]:
        counts = self.counts
        for source in self.sources:
            yield f"{source.name}: {source.kind}"
        dressed = sum(counts.garments.values())
        kinds = ", ".join(
            f"{counts.garments[slot]} {slot}" for slot in GARMENT_SLOTS if counts.garments[slot]
        )
        yield (
            f"{self.manifest}: {counted(counts.pairs, 'pair')} of {counted(dressed, 'product')}"
            f"{f' ({kinds})' if kinds else ''} and {counted(len(self.people), 'person', 'people')}"
            f"{'' if body else '; not written'}"
        )
        yield from _reasons("left out", counts.left_out)
        yield from _unknown(counts)
        yield from _reasons("without a row of their own", counts.shared)
        for refused in self.refused:
            yield refused.sentence
        yield from self._notes(body)
        if body:
            yield f"next: vton plan {shlex.quote(str(self.manifest))}"

    def _notes(self, body: Body | None) -> Iterator[str]:
        counts = self.counts
        if counts.too_few:
            yield f"note: for {counted(counts.too_few, 'product')} fewer people fit than --per-garment says"
        if counts.outside:
            yield (
                f"note: pictures of {counted(counts.outside, 'product')} lie outside of the manifest's folder: "
                "write the manifest above them, or name their folder in pictures.roots"
            )
        open_ended = [
            person.name for person in self.people if person.kind == "real" and not person.consent_until
        ]
        if open_ended:
            people = counted(len(open_ended), "real person", "real people")
            yield f"note: {people} without consent_until: {_some(open_ended)}"
        if body and body.cut:
            yield f"note: long texts were cut in {counted(body.cut, 'row')}"
        if body and body.dropped:
            yield "note: the products have too many different columns; the last ones are left out"

    def _content(self, body: Body | None) -> dict[str, object]:
        counts = self.counts
        return {
            "manifest": str(self.manifest),
            "written": body is not None,
            "sources": {source.name: source.kind for source in self.sources},
            "products": counts.products,
            "pairs": counts.pairs,
            "garments": {str(slot): count for slot, count in sorted(counts.garments.items())},
            "left_out": _content_of(counts.left_out),
            "unknown_categories": dict(counts.unknown.most_common()),
            "shared": _content_of(counts.shared),
            "people": [person.name for person in self.people],
            "refused_people": [refused.person.name for refused in self.refused],
            "too_few_people": counts.too_few,
        }


def _reasons(title: str, reasons: Mapping[str, Reason]) -> Iterator[str]:
    if reasons:
        yield f"{title}: {sum(reason.count for reason in reasons.values())}"
    for why, reason in sorted(reasons.items(), key=lambda each: -each[1].count):
        more = ", …" if reason.count > len(reason.examples) else ""
        yield f"  {reason.count:>7} {why}: {', '.join(reason.examples)}{more}"


def _unknown(counts: Counts) -> Iterator[str]:
    if not counts.unknown:
        return
    yield "categories of unknown kind; write them under categories: in a file for --map, see docs/products.md"
    for category, count in counts.unknown.most_common(_LISTED):
        if not category:
            yield f"  {count:>7} (none); --category tops gives all of these one"
            continue
        kind = nearest_kind(category)
        yield f"  {count:>7} {category[:80]}" + (f"; did you mean {kind}?" if kind else "")
    if len(counts.unknown) > _LISTED:
        yield f"          and {len(counts.unknown) - _LISTED} more (--json lists them)"


def _content_of(reasons: Mapping[str, Reason]) -> dict[str, dict[str, object]]:
    return {why: {"count": reason.count, "examples": reason.examples} for why, reason in reasons.items()}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")  # noqa: PLR2004 as many examples as elsewhere
