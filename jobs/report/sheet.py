"""Writes the contact sheet of a batch: a folder for any number of rows, and one file of it while it is small enough."""

import base64
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from jobs.records import ResultLine
from jobs.report.cards import Album, Card, card, owner_of, status_of
from jobs.report.page import Numbers, render
from jobs.report.thumbnails import Thumbnails

#: The folder form and the single file, in the batch folder.
FOLDER: Final = "report"
FILE: Final = "report.html"
#: Rows in one script: a browser reads one in a few milliseconds.
CHUNK: Final = 1_000
#: Bytes up to which the sheet is one file too; mail and phones take no more.
SINGLE_BYTES: Final = 50_000_000

#: Opens a file that takes its name only when it is whole.
Opened = Callable[[Path], AbstractContextManager[TextIO]]


class Sheet:
    """The sheet of one batch while it is written: `add` each row in their order, then `finish`."""

    def __init__(
        self,
        folder: Path,
        thumbnails: Thumbnails,
        *,
        opened: Opened,
        digest: Callable[[str], str],
        keep: Callable[[], object] = lambda: None,
        single_bytes: int = SINGLE_BYTES,
    ) -> None:
        """Begins it.

        Args:
            folder: the batch folder.
            thumbnails: those made so far; what is missing is made.
            opened: opens a file of the batch folder.
            digest: a local picture as a line has it → its SHA-256 when it was planned, or empty.
            keep: called for each picture; making many takes long.
            single_bytes: see SINGLE_BYTES.
        """
        self._folder = folder
        self._thumbnails = thumbnails
        self._opened = opened
        self._keep = keep
        self._single_bytes = single_bytes
        self._album = Album(digest=digest, small=self._small, batch_folder=folder)
        self._cards: list[Card] = []
        self._chunks = 0
        #: Key of a thumbnail → its bytes, 0: there is none.
        self._sizes: dict[str, int] = {}
        self._statuses: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._text_bytes = 0
        (folder / FOLDER / "rows").mkdir(parents=True, exist_ok=True)

    def add(self, line: ResultLine) -> None:
        """Adds a row. Raises OSError."""
        self._statuses[status_of(line)] += 1
        if owner := owner_of(line):
            self._owners[owner] += 1
        self._cards.append(card(line, self._album))
        if len(self._cards) == CHUNK:
            self._write_chunk()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes the pages; `summary`: summary.json's content. Raises OSError."""
        if self._cards:
            self._write_chunk()
        for path in (self._folder / FOLDER / "rows").glob("*.js"):
            if path.stem.isdecimal() and int(path.stem) > self._chunks:
                path.unlink()
        numbers = Numbers(summary=summary, statuses=self._statuses, owners=self._owners)
        with self._opened(self._folder / FOLDER / "index.html") as file:
            file.writelines(render("sheet.html", numbers=numbers, root="../", chunks=self._chunks))
        with self._opened(self._folder / FILE) as file:
            if self._fits:
                rows, small = self._rows(), self._base64()
                file.writelines(render("sheet.html", numbers=numbers, root="./", rows=rows, small=small))
            else:
                file.writelines(render("pointer.html", numbers=numbers, root="./"))

    @property
    def _fits(self) -> bool:
        return sum(self._sizes.values()) * 4 // 3 + self._text_bytes <= self._single_bytes

    def _write_chunk(self) -> None:
        self._chunks += 1
        text = _json(self._cards)
        self._cards = []
        self._text_bytes += len(text)
        with self._opened(self._chunk(self._chunks)) as file:
            file.write(f"vtonRows({text});\n")

    def _chunk(self, number: int) -> Path:
        return self._folder / FOLDER / "rows" / f"{number:04d}.js"

    def _rows(self) -> Iterator[str]:
        for number in range(1, self._chunks + 1):
            text = self._chunk(number).read_text(encoding="utf-8")
            yield text.removeprefix("vtonRows(").removesuffix(");\n")

    def _base64(self) -> Iterator[tuple[str, str]]:
        for key, size in self._sizes.items():
            if size:
                yield key, base64.b64encode(self._thumbnails.place(key).read_bytes()).decode()

    def _small(self, key: str, picture: Path | None) -> bool:
        """Brings a thumbnail into the sheet's folder, once for each content."""
        if key not in self._sizes:
            self._keep()
            if picture is not None:
                self._thumbnails.make(key, picture, verify=True)
            place = self._folder / FOLDER
            target = place / "thumbnails" / key[:2] / f"{key}.webp"
            # In the folder itself, where whoever exports next sweeps what a killed process has left.
            linked = self._thumbnails.link(key, target, place / f".{key}.{secrets.token_hex(4)}.tmp")
            self._sizes[key] = target.stat().st_size if linked else 0
        return self._sizes[key] > 0


def _json(cards: list[Card]) -> str:
    """JSON that may stand in a script."""
    try:
        text = msgspec.json.encode(cards).decode()
    except UnicodeEncodeError:
        # Half characters of file names that are no UTF-8.
        text = json.dumps(msgspec.to_builtins(cards), separators=(",", ":"))
    return script_safe(text)


def script_safe(text: str) -> str:
    """JSON without the one character that could end a script or begin a comment of HTML."""
    return text.replace("<", "\\u003c")
