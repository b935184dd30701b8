"""How a person wants a manifest to be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.manifest.aliases import GARMENT_COLUMNS, column_of, is_whole
from jobs.manifest.part import Condition


def is_picture(heading: str) -> bool:
    """Whether a manifest's pictures stand under a heading."""
    return column_of(heading) in {"person", *GARMENT_COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the command's options say: the encoding of a text, the part of a workbook."""

    #: Where pictures that stand in a workbook go as files.
    pictures: Path = Path(".vton/extracted")
    #: The sheet; None for the first one that has the columns.
    sheet: str | None = None
    #: Leave out the rows that a filter hides.
    visible_only: bool = False
    #: Where paths of pictures are counted from; None for the manifest's own folder.
    root: Path | None = None
    #: The encoding of a text; "" for what its bytes say.
    encoding: str = ""
    #: Columns and what their cells must say; other rows are left out.
    only: tuple[Condition, ...] = ()
    #: Whether tables made from it begin with a mark; None for when a cell may hold a letter beyond ASCII.
    mark: bool | None = None
    #: Whether a heading means something to whoever reads.
    is_known: Callable[[str], object] = column_of
    #: Whether headings are all that a table needs.
    is_whole: Callable[[Sequence[str]], bool] = is_whole
    #: Whether pictures stand under a heading.
    is_picture: Callable[[str], bool] = is_picture

    @property
    def variant(self) -> str:
        """What makes it another list than the file alone would be; "" for the file as it is."""
        sheet = f"sheet={self.sheet}" if self.sheet is not None else ""
        only = "\0".join(f"only={column}={value}" for column, value in self.only)
        return "\0".join(filter(None, [sheet, "visible" if self.visible_only else "", self.encoding, only]))
