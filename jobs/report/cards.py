"""A result line as the card that shows it: what was put in, what came out, or why nothing did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from jobs.records import Owner, Slot
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
    thumbnail: str | None
    #: An http(s) address or a relative path; None when there is nothing to follow.
    href: str | None
    #: What stands in the picture's place: a host and file name.
    text: str


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

    row: str
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


def status_of(line: Mapping[str, Any]) -> str:
    """The line's status; an unheard-of one counts as unknown rather than being dropped."""
    status = str(line.get("status"))
    return status if status in STATUS_LABELS else "unknown"


def owner_of(line: Mapping[str, Any]) -> str:
    """Who can fix the line's failure, or an empty string."""
    owner = str((line.get("error") or {}).get("owner", ""))
    return owner if owner in OWNER_LABELS else ""


def card(line: Mapping[str, Any], album: Album) -> Card:
    """The card of one result line."""
    extra = {
        str(key): _text(value) for key, value in (line.get("extra") or {}).items() if value not in (None, "")
    }
    titles = {key.casefold(): key for key in reversed(extra)}
    title = next((extra.pop(titles[name]) for name in _TITLES if name in titles), "")
    results = tuple(_result(image, album) for image in line.get("images") or ())
    ids = (("request", line.get("request_id")), ("task", line.get("task_id")))
    return Card(
        row=_text(line.get("row")),
        sku=_text(line.get("sku")),
        title=title,
        status=status_of(line),
        inputs=tuple(_input(slot, line["inputs"][slot], album) for slot in _slots(line)),
        results=results,
        reason=None if any(tile.thumbnail for tile in results) else _reason(line),
        facts=tuple(extra.items())[:_MAX_FACTS],
        ids=tuple((name, _text(value)) for name, value in ids if value),
        notes=_notes(line),
    )


def _slots(line: Mapping[str, Any]) -> list[str]:
    """The filled slots, the person first."""
    given = line.get("inputs") or {}
    known = [slot.value for slot in Slot if given.get(slot)]
    return known + [slot for slot in given if slot not in known and given[slot]]


def _input(slot: str, source: object, album: Album) -> Tile:
    text = str(source)
    label = SLOT_LABELS.get(slot, _text(slot))
    if text[:8].lower().startswith(("http://", "https://")):
        return _link(label, text)
    path = album.pictures(text)
    thumbnail = album.thumbnails.of(path, INPUT_SIDE) if path else None
    return Tile(
        label=label, thumbnail=thumbnail, href=None, text=_text(text.replace("\\", "/").rsplit("/", 1)[-1])
    )


def _link(label: str, url: str) -> Tile:
    """A picture that we do not fetch: where it is, and a way to it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return Tile(label=label, thumbnail=None, href=None, text=_text(url))
    name = unquote(parts.path.rsplit("/", 1)[-1])
    text = _text(f"{name} {host or ''}".strip())
    return Tile(label=label, thumbnail=None, href=url if host else None, text=text)


def _result(image: Mapping[str, Any], album: Album) -> Tile:
    path = str(image.get("path") or "")
    inside = _inside(album.batch_folder, path) if path else None
    thumbnail = album.thumbnails.of(inside, RESULT_SIDE) if inside else None
    # Quoting leaves no colon, hence no scheme; a leading `./` leaves no host either.
    return Tile(label="Result", thumbnail=thumbnail, href=f"./{quote(path)}" if thumbnail else None, text="")


def _inside(folder: Path, path: str) -> Path | None:
    """The file when its path does not climb out of the folder; it may be a link into the store."""
    parts = Path(path).parts
    return None if "\0" in path or Path(path).is_absolute() or ".." in parts else folder / path


def _reason(line: Mapping[str, Any]) -> Reason:
    error = line.get("error") or {}
    kind = " ".join(_text(error[key]) for key in ("class", "code") if error.get(key) not in (None, ""))
    status = status_of(line)
    return Reason(
        sentence=_text(error.get("message")) or _SENTENCES[status],
        owner=owner_of(line),
        retryable=bool(error["retryable"]) if error.get("retryable") is not None else None,
        kind=kind,
    )


def _notes(line: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    seconds = (line.get("timings") or {}).get("task_s")
    if isinstance(seconds, int | float):
        notes.append(f"{seconds:.0f} s at HiDream")
    attempts = line.get("attempts")
    if isinstance(attempts, int) and attempts > 1:
        notes.append(f"{attempts} attempts")
    if line.get("source") == "reused":
        notes.append("reused, not bought again")
    return tuple(notes)


def _text(value: object) -> str:
    """A short text for people; an endless cell must not make an endless page."""
    text = "" if value is None else str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
