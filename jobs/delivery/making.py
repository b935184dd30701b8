"""From a stored picture to what is delivered: rendered, labelled, marked, signed. The stored original stays as it came."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from jobs.config.delivery import MarksSettings, ProfileSettings
from jobs.delivery.rendition import UnfitError, render
from jobs.delivery.selection import Item
from jobs.marks.found import C2PA, marks_of
from jobs.marks.label import check_letters, labelled
from jobs.marks.metadata import UnmarkedError, marked, with_packet_of
from jobs.marks.signature import Signature, UnsignedError

#: Part of every recipe: counted up when pictures are made otherwise from the same settings.
_MAKING: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is delivered of a picture."""

    content: bytes
    sha256: str
    #: Pixels.
    width: int
    height: int
    marks: tuple[str, ...]


class Maker:
    """Makes pictures as one profile wants them."""

    def __init__(self, store: Path, profile: tuple[str, ProfileSettings], marks: MarksSettings) -> None:
        """`store`: the folder of stored pictures. Raises ConfigError: certificate, key or font cannot be used."""
        self._store = store
        self._profile = profile[1]
        self._marks = marks
        self._signature = Signature(marks) if marks.c2pa_certificate else None
        if marks.label_text:
            check_letters(marks)
        self._asked = msgspec.json.encode(
            {"making": _MAKING, "profile": self._profile.model_dump(mode="json", exclude={"name"})}
            | {"marks": marks.model_dump(mode="json")},
            order="sorted",
        )

    def recipe(self, item: Item) -> str:
        """Hash of the picture and of all that is asked of it."""
        # China's mark has the id in it.
        asked = f"{item.picture_sha256} {item.extension} {item.request_id} ".encode()
        return hashlib.sha256(asked + self._asked).hexdigest()

    def made(self, item: Item) -> Made:
        """Makes it.

        Raises:
            UnfitError: it cannot be made as the profile wants it, or not without losing a mark that it brings.
            UnmarkedError, UnsignedError: see jobs.marks.
            FileNotFoundError: the store does not have it as it came.
        """
        original = self._original(item)
        draw = partial(labelled, settings=self._marks) if self._marks.label_text else None
        rendition = render(original, item.extension, self._profile, draw)
        content = with_packet_of(rendition.content, original) if rendition.anew else rendition.content
        brought = marks_of(original)
        if C2PA not in brought or self._signature is not None:
            content = marked(content, self._marks, produce_id=item.request_id)
        elif rendition.anew:
            raise UnfitError(
                "HiDream has signed it (C2PA), and making it anew would lose that: set marks.c2pa_certificate, or deliver"
                " it with the profile original"
            )
        # Else the signature that it brings is its mark: one byte more would break it.
        if self._signature is not None:
            content = self._signature.signed(content, item.extension, original)
        return Made(
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            width=rendition.width,
            height=rendition.height,
            marks=self._borne(content, brought),
        )

    def _borne(self, content: bytes, brought: tuple[str, ...]) -> tuple[str, ...]:
        found = marks_of(content)
        if lost := [mark for mark in brought if mark not in found]:
            raise UnmarkedError(f"it would lose a mark that it brings: {', '.join(lost)}")
        return found

    def _original(self, item: Item) -> bytes:
        name = f"{item.picture_sha256}.{item.stored_extension}"
        content = (self._store / name[:2] / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != item.picture_sha256:
            raise FileNotFoundError(f"{name} was changed in the picture store")
        return content


def sidecar(item: Item, batch: str, profile: str, made: Mapping[str, object]) -> bytes:
    """What stands beside a picture, as JSON; the same each time, so without a date. No address that may hold a secret."""
    summary = {
        "batch": batch,
        "rows": item.rows,
        "sku": item.sku,
        "person": item.person,
        "version": item.version,
        "request_id": item.request_id,
        "task_id": item.task_id,
        "profile": profile,
        "picture_sha256": item.picture_sha256,
        **made,
    }
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


#: Why a single picture is not delivered though its target works.
UNFIT = (UnfitError, UnmarkedError, UnsignedError, FileNotFoundError)
