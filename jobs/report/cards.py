"""A result line as the card that shows it: what was put in, what came out, or why nothing did."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import fields as fields_of

from jobs.records import Image, Owner, ResultLine, Slot, Verdict
from jobs.report.thumbnails import address_key

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
SENTENCES: Final[Mapping[str, str]] = {
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
_MAX_TEXT: Final = 600


class Input(Struct, frozen=True, kw_only=True, array_like=True):
    """One picture that was put in."""

    #: `Person`, `Dress` …
    label: str
    #: File name, or file name and host.
    name: str
    #: An http(s) address, or empty.
    href: str
    #: Key of its thumbnail, or empty.
    thumbnail: str


class Output(Struct, frozen=True, kw_only=True, array_like=True):
    """One picture that came out."""

    sha256: str
    #: Relative to the batch folder, quoted; empty when it is not to be shown.
    href: str
    #: Whether it has a thumbnail.
    small: bool


class CardVersion(Struct, frozen=True, kw_only=True, array_like=True):
    """One version of the row's picture."""

    version: int
    request: str
    status: str
    pictures: tuple[Output, ...]


class Card(Struct, frozen=True, kw_only=True, array_like=True):
    """One row as the page's script has it: a list, in the order of these fields (`FIELDS`)."""

    row: int
    sku: str
    title: str
    status: str
    #: A key of OWNER_LABELS, or empty.
    owner: str
    #: Stable word and code, e.g. `no_result 1004`.
    reason: str
    #: Why there is no picture; empty where there is one.
    sentence: str
    #: Whether running it again may help; None where the question does not arise.
    retryable: bool | None
    inputs: tuple[Input, ...]
    pictures: tuple[Output, ...]
    request: str
    task: str
    #: `84 s at HiDream`, `2 attempts`.
    notes: tuple[str, ...]
    #: The row's further columns, those that are filled.
    extra: dict[str, str]
    #: What the ledger has of people's verdicts on these pictures.
    verdicts: tuple[Verdict, ...]
    #: Ids of the flags of its first picture.
    flags: tuple[str, ...]
    #: Which version of its picture all this is, and every version, the oldest first; none while there is one only.
    version: int
    versions: tuple[CardVersion, ...]


FIELDS: Final = tuple(field.name for field in fields_of(Card))


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Where pictures are found."""

    #: An input as a line has it → its SHA-256 when it was planned, or empty.
    digest: Callable[[str], str]
    #: Key and picture file → whether the sheet has a thumbnail of it.
    small: Callable[[str, Path | None], bool]
    batch_folder: Path


def status_of(line: ResultLine) -> str:
    """The line's status; an unheard-of one counts as unknown rather than being dropped."""
    return line.status if line.status in STATUS_LABELS else "unknown"


def owner_of(line: ResultLine) -> str:
    """Who can fix the line's failure, or an empty string."""
    return str(line.error.owner) if line.error and line.error.owner in OWNER_LABELS else ""


def card(line: ResultLine, album: Album) -> Card:
    """The card of one result line."""
    extra = {_text(name): _text(text) for name, text in line.extra.items() if text}
    titles = {name.casefold(): name for name in reversed(extra)}
    title = next((extra.pop(titles[name]) for name in _TITLES if name in titles), "")
    pictures = tuple(_output(image, album) for image in line.images)
    inputs = ((label, getattr(line.inputs, slot)) for slot, label in SLOT_LABELS.items())
    error = line.error
    said = () if error is None else (error.kind, error.code)
    shown = any(picture.href for picture in pictures)
    return Card(
        row=line.row,
        sku=_text(line.sku),
        title=title,
        status=status_of(line),
        owner=owner_of(line),
        reason=" ".join(_text(word) for word in said if word not in {None, ""}),
        sentence="" if shown else _text(error.message if error else "") or SENTENCES[status_of(line)],
        retryable=error.retryable if error else None,
        inputs=tuple(_input(label, source, album) for label, source in inputs if source),
        pictures=pictures,
        request=_text(line.request_id or ""),
        task=_text(line.task_id or ""),
        notes=tuple(_notes(line)),
        extra=extra,
        verdicts=line.review,
        flags=tuple(flag.id for flag in line.flags),
        version=line.version,
        versions=tuple(
            CardVersion(
                version=each.version,
                request=each.request_id,
                status=each.status if each.status in STATUS_LABELS else "unknown",
                pictures=tuple(_output(image, album) for image in each.images),
            )
            for each in line.versions
        ),
    )


def _input(label: str, source: str, album: Album) -> Input:
    if source[:8].lower().startswith(("http://", "https://")):
        name, href = _address(source)
        key = address_key(source)
        found = bool(href) and album.small(key, None)
    else:
        name, href = source.replace("\\", "/").rsplit("/", 1)[-1], ""
        key = album.digest(source)
        found = bool(key) and album.small(key, Path(source))
    return Input(label=label, name=_text(name), href=href, thumbnail=key if found else "")


def _address(url: str) -> tuple[str, str]:
    """What an address is called, and the address if it may be followed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return url, ""
    name = unquote(parts.path.rsplit("/", 1)[-1])
    return f"{name} {host or ''}".strip(), url if host else ""


def _output(image: Image, album: Album) -> Output:
    """A picture of the batch folder, unless its path climbs out of it; it may be a link into the store."""
    path = image.path
    inside = not ("\0" in path or Path(path).is_absolute() or ".." in Path(path).parts)
    there = inside and (album.batch_folder / path).is_file()
    small = there and bool(image.sha256) and album.small(image.sha256, album.batch_folder / path)
    # Quoting leaves no colon, hence no scheme.
    return Output(sha256=image.sha256, href=quote(path) if there else "", small=small)


def _notes(line: ResultLine) -> Iterator[str]:
    if line.timings.task_s is not None:
        yield f"{line.timings.task_s:.0f} s at HiDream"
    if line.attempts > 1:
        yield f"{line.attempts} attempts"
    if line.source == "reused":
        yield "reused, not bought again"
    for each in line.versions:
        if not each.images:
            why = f": {_text(each.error.message)}" if each.error else ""
            yield f"version {each.version} {STATUS_LABELS.get(each.status, each.status).lower()}{why}"


def _text(value: object) -> str:
    """A short text for people; an endless cell must not make an endless page."""
    text = str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
