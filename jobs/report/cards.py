"""A result line as the card that shows it: what was put in, what came out, or why nothing did."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from jobs.records import Owner, ResultLine, Slot
from jobs.report.thumbnails import Thumbnails

RESULT_SIDE: Final = 320
INPUT_SIDE: Final = 160

SLOT_LABELS: Final[Mapping[str, str]] = {
    Slot.PERSON: "Person",
    Slot.UPPER_CLOTHES: "Upper",
    Slot.LOWER_CLOTHES: "Lower",
    Slot.DRESS: "Dress",
}
#: Status → its name on the page, in the order in which cards stand: what needs a person comes first.
STATUS_LABELS: Final[Mapping[str, str]] = {
    "failed": "Failed",
    "rejected": "Rejected",
    "unknown": "Unknown",
    "invalid": "Invalid row",
    "cancelled": "Cancelled",
    "submitting": "Submitting",
    "submitted": "In the works",
    "queued": "Queued",
    "succeeded": "Done",
}
OWNER_LABELS: Final[Mapping[str, str]] = {
    Owner.MERCH: "Merchandising",
    Owner.OPS: "Operations",
    Owner.VENDOR: "HiDream",
}
#: What a row without an error of its own says.
_SENTENCES: Final[Mapping[str, str]] = {
    "failed": "No picture was made.",
    "rejected": "Content moderation rejected the pictures.",
    "unknown": "The order may have reached HiDream, but no answer came back.",
    "invalid": "The manifest row cannot be used.",
    "cancelled": "Cancelled before a picture was made.",
    "submitting": "Being handed to HiDream.",
    "submitted": "HiDream is working on it.",
    "queued": "Waiting for its turn.",
    "succeeded": "The picture was made, but its file is not here.",
}
#: Columns that name a product, best first.
_TITLES: Final = (
    "title",
    "name",
    "product",
    "product_title",
    "product_name",
    "description",
    "标题",
    "名称",
    "商品名称",
)
_MAX_FACTS: Final = 4
_MAX_TEXT: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One picture of a card, or what stands in its place."""

    #: `Person`, `Dress`, `Result` …
    label: str
    #: A `data:` address, or None when there is nothing to show.
    thumbnail: str | None = None
    #: An http(s) address or a relative path; None when there is nothing to follow.
    href: str | None = None
    #: What stands in the picture's place: a host and file name.
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why there is no picture."""

    sentence: str
    #: A key of OWNER_LABELS, or empty.
    owner: str
    #: Whether running it again may help; None where the question does not arise.
    retryable: bool | None
    #: Stable word and code, e.g. `no_result 1004`.
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One row of the batch."""

    row: int
    sku: str
    title: str
    status: str
    inputs: tuple[Tile, ...]
    results: tuple[Tile, ...]
    reason: Reason | None
    #: Name and value of the row's first further columns.
    facts: tuple[tuple[str, str], ...]
    #: Name and value of the ids that support asks for.
    ids: tuple[tuple[str, str], ...]
    #: `84 s · 2 attempts`.
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Where pictures are found."""

    batch_folder: Path
    #: An input as the manifest has it → a file that may be shown.
    pictures: Callable[[str], Path | None]
    thumbnails: Thumbnails


def status_of(line: ResultLine) -> str:
    """The line's status; an unheard-of one counts as unknown rather than being dropped."""
    return line.status if line.status in STATUS_LABELS else "unknown"


def owner_of(line: ResultLine) -> str:
    """Who can fix the line's failure, or an empty string."""
    return line.error.owner if line.error and line.error.owner in OWNER_LABELS else ""


def card(line: ResultLine, album: Album) -> Card:
    """The card of one result line."""
    extra = {name: _text(text) for name, text in line.extra.items() if text}
    titles = {name.casefold(): name for name in reversed(extra)}
    title = next((extra.pop(titles[name]) for name in _TITLES if name in titles), "")
    results = tuple(_result(image.path, album) for image in line.images)
    inputs = ((label, getattr(line.inputs, slot)) for slot, label in SLOT_LABELS.items())
    ids = (("request", line.request_id), ("task", line.task_id))
    return Card(
        row=line.row,
        sku=_text(line.sku),
        title=title,
        status=status_of(line),
        inputs=tuple(_input(label, source, album) for label, source in inputs if source),
        results=results,
        reason=None if any(tile.thumbnail for tile in results) else _reason(line),
        facts=tuple(extra.items())[:_MAX_FACTS],
        ids=tuple((name, _text(text)) for name, text in ids if text),
        notes=tuple(_notes(line)),
    )


def _input(label: str, source: str, album: Album) -> Tile:
    if source[:8].lower().startswith(("http://", "https://")):
        return _link(label, source)
    path = album.pictures(source)
    thumbnail = album.thumbnails.of(path, INPUT_SIDE) if path else None
    return Tile(label=label, thumbnail=thumbnail, text=_text(source.replace("\\", "/").rsplit("/", 1)[-1]))


def _link(label: str, url: str) -> Tile:
    """A picture that we do not fetch: where it is, and a way to it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return Tile(label=label, text=_text(url))
    name = unquote(parts.path.rsplit("/", 1)[-1])
    return Tile(label=label, href=url if host else None, text=_text(f"{name} {host or ''}".strip()))


def _result(path: str, album: Album) -> Tile:
    """A picture of the batch folder, unless its path climbs out of it; it may be a link into the store."""
    inside = not ("\0" in path or Path(path).is_absolute() or ".." in Path(path).parts)
    thumbnail = album.thumbnails.of(album.batch_folder / path, RESULT_SIDE) if inside else None
    # Quoting leaves no colon, hence no scheme; a leading `./` leaves no host either.
    return Tile(label="Result", thumbnail=thumbnail, href=f"./{quote(path)}" if thumbnail else None)


def _reason(line: ResultLine) -> Reason:
    error = line.error
    said = () if error is None else (error.kind, error.code)
    return Reason(
        sentence=_text(error.message if error else "") or _SENTENCES[status_of(line)],
        owner=owner_of(line),
        retryable=error.retryable if error else None,
        kind=" ".join(_text(word) for word in said if word not in {None, ""}),
    )


def _notes(line: ResultLine) -> Iterator[str]:
    if line.timings.task_s is not None:
        yield f"{line.timings.task_s:.0f} s at HiDream"
    if line.attempts > 1:
        yield f"{line.attempts} attempts"
    if line.source == "reused":
        yield "reused, not bought again"


def _text(value: object) -> str:
    """A short text for people; an endless cell must not make an endless page."""
    text = str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
