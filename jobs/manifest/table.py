"""CSV and TSV manifests: a line of column names, then a row a line."""

from collections.abc import Iterator
from itertools import islice

from jobs.errors import ManifestError
from jobs.manifest.aliases import OURS, column_of
from jobs.manifest.columns import ColumnError, Fault, Plan, plan, refuse_useless, suspected_typos
from jobs.manifest.content import Content
from jobs.manifest.delimited import Record, records
from jobs.manifest.lines import BOM, GB18030, encoding_of
from jobs.records import BadRow, Dialect, Row

_DELIMITERS = (",", ";", "\t")


class Table:
    """A CSV or TSV manifest; the names are read and checked when it is made, the rows later."""

    def __init__(self, content: Content, head: bytes, *, tabs: bool) -> None:
        """Reads the column names.

        Args:
            content: the manifest.
            head: its first bytes.
            tabs: the suffix says that it is TSV; otherwise the names tell the delimiter.

        Raises:
            ManifestError: no names, two alike, or none that is known.
        """
        self._content = content
        self._encoding = encoding_of(head)
        self._first_line = head.split(b"\n", 1)[0]
        self._marked = head.startswith(BOM) or self._encoding == GB18030
        _refuse_bare_returns(head, content.name)
        self._delimiter = "\t" if tabs else max(_DELIMITERS, key=self._fitness)
        header = self._header(self._delimiter)
        if header is None:
            raise ManifestError(f"{content.name}: is empty")
        line, names, flaw = header
        if flaw:
            raise ManifestError(f"{content.name}:{line}: {flaw}")
        while names and not names[-1].strip():
            names.pop()
        try:
            self._plan = plan(tuple(names))
            self._ours = tuple(name for name in names if name.startswith(OURS))
            #: Columns that look like misspelt ones, a sentence each.
            self.suspected_typos = suspected_typos(self._plan)
            refuse_useless(self._plan, "the first line", self.suspected_typos)
        except ColumnError as error:
            raise ManifestError(f"{content.name}:{line}: {error}") from None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names as written, without those that a batch's tables have added."""
        return tuple(name for name in self._plan.columns if name not in self._ours)

    @property
    def dialect(self) -> Dialect:
        """The table's own delimiter; a mark where it had one, or was no UTF-8."""
        return Dialect(delimiter=self._delimiter, bom=self._marked)

    def rows(self) -> Iterator[Row | BadRow]:
        """Streams the rows in their order, bad ones among them."""
        made = self._plan
        columns, width, inputs_of, sku_of = made.columns, len(made.columns), made.inputs, made.sku_of
        found = self._records(self._delimiter)
        next(found)  # the names
        for number, (line, cells, flaw) in enumerate(found, start=1):
            if flaw or len(cells) != width:
                fault = flaw or self._shape_fault(cells)
                if fault:
                    yield _bad(made, number, line, cells, Fault(column="", why=fault))
                    continue
            inputs = inputs_of(cells)
            if isinstance(inputs, Fault):
                yield _bad(made, number, line, cells, inputs)
                continue
            fields = dict(zip(columns, cells, strict=False))
            for name in self._ours:
                del fields[name]
            yield Row(number=number, line=line, sku=sku_of(cells), inputs=inputs, fields=fields)

    def _shape_fault(self, cells: list[str]) -> str:
        """Why the number of cells is wrong; "" when only empty ones are too many."""
        width = len(self._plan.columns)
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            return ""
        return f"the line has {len(cells)} cells, but the first line names {width} columns"

    def _records(self, delimiter: str) -> Iterator[Record]:
        """The records from the names on; Excel's own first line `sep=;` is left out."""
        found = records(self._content, self._encoding, delimiter)
        first = next(found, None)
        if first is None:
            return
        if first[2] or not first[1][0].lower().startswith("sep="):
            yield first
        yield from found

    def _header(self, delimiter: str) -> Record | None:
        return next(islice(self._records(delimiter), 1), None)

    def _fitness(self, delimiter: str) -> tuple[int, int]:
        """How well the names read with this delimiter: known ones first, then how many there are."""
        header = self._header(delimiter)
        names = header[1] if header else []
        if header and header[2]:  # its quotation marks are wrong: only the look of the line tells
            return 0, self._first_line.count(delimiter.encode())
        return sum(column_of(name) is not None for name in names), len(names)


def _bad(made: Plan, number: int, line: int, cells: list[str], fault: Fault) -> BadRow:
    return BadRow(
        number=number,
        line=line,
        column=fault.column,
        why=fault.why,
        sku=made.sku_of(cells),
        fields={
            name: cell for name, cell in zip(made.columns, cells, strict=False) if not name.startswith(OURS)
        },
    )


def _refuse_bare_returns(head: bytes, name: str) -> None:
    if b"\r" in head and b"\n" not in head:
        raise ManifestError(f"{name}: has the line ends of an old Macintosh; save it as “CSV UTF-8”")
