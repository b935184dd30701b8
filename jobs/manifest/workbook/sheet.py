"""A sheet as rows of text: the values, and what stands beside them, put together."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Protocol
from urllib.parse import unquote

from jobs.manifest.table import Record
from jobs.manifest.workbook.cells import letters
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.facts import Facts
from jobs.manifest.workbook.formulas import call_of
from jobs.manifest.workbook.header import LOOKED_AT, Header
from jobs.manifest.workbook.merged import Area, Merged, to_first_cells
from jobs.manifest.workbook.values import text_of


class Values(Protocol):
    """A sheet's values: python-calamine's sheet, or our own reader's."""

    @property
    def start(self) -> tuple[int, int] | None:
        """The first filled cell's row and column; None for an empty sheet."""

    @property
    def end(self) -> tuple[int, int] | None:
        """The last filled cell's."""

    @property
    def merged_cell_ranges(self) -> list[Area] | None:
        """Areas of merged cells; None when the library cannot say."""

    def iter_rows(self) -> Iterator[list[Any]]:
        """The values of all rows from the sheet's first one, from the first filled column on."""


class Sheet:
    """One sheet of an open workbook."""

    def __init__(
        self,
        name: str,
        values: Values,
        facts: Facts,
        *,
        extract: Callable[[str], str],
        by_id: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Takes what has been read of it.

        Args:
            name: as the workbook lists it.
            values: of its cells.
            facts: what stands beside them.
            extract: makes a picture of the workbook a file, and gives its path; raises WorkbookError.
            by_id: id of WPS → picture.
        """
        self.name = name
        self.facts = facts
        #: Cells whose own text was taken and not the picture there, once all records are read.
        self.passed_over: list[str] = []
        self._values = values
        self._extract = extract
        self._by_id = by_id
        #: The first filled column: the library leaves out those before it.
        self._left = (values.start or (0, 0))[1]
        if facts.pictures:
            to_first_cells(facts.pictures, values.merged_cell_ranges or facts.merged)

    def first_rows(self) -> list[tuple[int, list[str]]]:
        """Number, from 0, and cells of the first filled rows."""
        left = [""] * self._left
        rows = ((number, left + self._texts(number, row)) for number, row in self._numbered())
        return list(islice((row for row in rows if any(row[1])), LOOKED_AT))

    def records(self, header: Header, pictures: Sequence[bool], *, visible_only: bool) -> Iterator[Record]:
        """Streams the rows below the names, blank ones left out.

        Args:
            header: the names, and where they stand.
            pictures: for each name, whether pictures stand under it.
            visible_only: leave hidden rows out.
        """
        own = [place - self._left for place in header.places]
        under_names = itemgetter(*own) if len(own) > 1 else lambda values: (values[own[0]],)
        merged = Merged(self._values.merged_cell_ranges or self.facts.merged, header.places)
        overlay = _Overlay(self.facts, header, pictures, self._extract, self._by_id)
        hidden = self.facts.hidden.get if visible_only and self.facts.hidden else None
        marked, styled = overlay.marked, overlay.styled
        for number, values in self._numbered(header.row + 1):
            cells = [value if value.__class__ is str else text_of(value) for value in under_names(values)]
            flaw, joined = "", "\n".join(cells)
            if number in marked or styled or "\n=" in joined or joined[:1] == "=":
                flaw = overlay.lay(number, values, own, cells)
            if merged:
                merged.fill(number, cells)
            if hidden and hidden(number):
                continue
            if flaw or not joined.isspace() or any(cells):
                yield number + 1, cells, flaw
        self.passed_over = overlay.passed_over

    def _numbered(self, first: int = 0) -> Iterator[tuple[int, list[Any]]]:
        """The rows and their numbers, from 0; behind the last one with a value those that hold a picture only."""
        (_, left), (last, right) = self._values.start or (0, 0), self._values.end or (-1, -1)
        blank = [""] * (right - left + 1)
        later = sorted(row for row in self.facts.pictures if row > last)
        valued = islice(enumerate(self._values.iter_rows()), first, None)
        return chain(valued, ((row, blank) for row in later if row >= first))

    def _texts(self, number: int, values: list[Any]) -> list[str]:
        texts = [text_of(value) for value in values]
        for column, text in self.facts.texts.get(number, {}).items():
            if 0 <= column - self._left < len(texts):
                texts[column - self._left] = text
        return texts


class _Overlay:
    """Lays what stands beside the values over a row's texts."""

    def __init__(
        self,
        facts: Facts,
        header: Header,
        pictures: Sequence[bool],
        extract: Callable[[str], str],
        by_id: Callable[[str], str | None],
    ) -> None:
        self._facts = facts
        self._columns = header.places
        self._is_picture = pictures
        self._extract = extract
        self._by_id = by_id
        #: Cells whose own text is taken and not the picture there.
        self.passed_over: list[str] = []
        #: Rows that hold something beside their values.
        self.marked = facts.texts.keys() | facts.links.keys() | facts.pictures.keys()
        #: Place → column, of those with numbers in formats of their own.
        self.styled = [
            (place, facts.styles[column])
            for place, column in enumerate(header.places)
            if column in facts.styles
        ]

    def lay(self, row: int, values: list[Any], own: list[int], cells: list[str]) -> str:
        """Changes the cells; says what is wrong with the row, "" for nothing."""
        facts = self._facts
        for place, styles in self.styled:
            value = values[own[place]]
            # Some whole numbers of .xls are integers; a truth is none.
            number = isinstance(value, float | int) and value.__class__ is not bool
            if number and (style := styles.get(row)) is not None:
                cells[place] = facts.formats[style].shown(float(value))
        texts, links, pictures = (
            facts.texts.get(row, {}),
            facts.links.get(row, {}),
            facts.pictures.get(row, {}),
        )
        flaw = ""
        for place, column in enumerate(self._columns):
            cells[place] = texts.get(column, cells[place])
            if self._is_picture[place]:
                there = pictures.get(column, [])
                if there and not _leaves_room(cells[place]):
                    self.passed_over.append(f"{letters(column)}{row + 1}")
                cells[place], why = self._picture(cells[place], links.get(column), there)
                flaw = flaw or (f"{letters(column)}{row + 1}: {why}" if why else "")
        return flaw

    def _picture(self, text: str, link: str | None, found: list[str]) -> tuple[str, str]:
        """What a picture's cell says, and what is wrong with it.

        A text of its own counts before a picture that lies over it, and an address before a link: people forget links.
        """
        call = call_of(text) if text[:1] == "=" else None
        if call and call.function == "DISPIMG" and not found:
            found = [picture for picture in [self._by_id(call.target)] if picture]
        elif call and call.function != "DISPIMG":
            return call.target, ""
        if found and _leaves_room(text):
            return self._taken(found)
        if link and not text[:8].lower().startswith(("http://", "https://")):
            return link, _other_picture(text, link)
        return text, ""

    def _taken(self, found: list[str]) -> tuple[str, str]:
        if len(found) > 1:
            return "", f"{len(found)} pictures lie over the cell; keep the one that is meant"
        if found[0].startswith(("http://", "https://")):
            return found[0], ""
        try:
            return self._extract(found[0]), ""
        except WorkbookError as error:
            return "", str(error)


def _leaves_room(text: str) -> bool:
    """Whether a cell's own text gives way to a picture that lies there."""
    return not text.strip() or text[0] in "=#"


def _other_picture(text: str, link: str) -> str:
    """Why a link cannot be followed: the text names a picture, and the link leads to one of another name."""
    said, led = _FILE.search(text.strip()), _FILE.search(unquote(link.partition("?")[0]))
    if said is None or led is None or said[1].casefold() == led[1].casefold():
        return ""
    return (
        f"the text names {said[1][:60]}, and its link leads to {led[1][:60]}; remove the link, or correct it"
    )


#: The name of a picture's file at the end of a path.
_FILE = re.compile(r"([^/\\]+\.(?:jpe?g|png|webp|heic|avif))$", re.IGNORECASE)
