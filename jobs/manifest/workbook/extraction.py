"""The pictures of a workbook as files in the data folder, each named by the hash of its content."""

import hashlib
from pathlib import Path
from typing import Protocol

from jobs.manifest.workbook.errors import WorkbookError
from jobs.whole_files import on_disk

#: Bytes of a picture; `pictures.max_bytes` may say less.
_MAX_BYTES = 64_000_000
#: First bytes → suffix, for whoever looks into the folder.
_SUFFIXES = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


class Parts(Protocol):
    """What pictures are taken from, by name."""

    def __contains__(self, part: str, /) -> bool: ...

    def size(self, part: str) -> int:
        """Bytes; 0 for none."""

    def read(self, part: str, most: int) -> bytes:
        """The bytes. Raises WorkbookError: broken, or more than `most`."""


class Extraction:
    """Takes pictures out of one workbook, each once."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        """`folder`: where the pictures go; it is made when there is one."""
        self._parts = parts
        self._folder = folder
        self._paths: dict[str, Path] = {}

    def path(self, part: str) -> Path:
        """Where a picture stands as a file.

        Raises:
            WorkbookError: it is not there, is broken or too large; the text goes on from the cell's name.
        """
        if part not in self._paths:
            self._paths[part] = self._kept(part)
        return self._paths[part]

    def path_text(self, part: str) -> str:
        """Where a picture stands, as a cell says it. Raises WorkbookError: as `path`."""
        return str(self.path(part))

    def _kept(self, part: str) -> Path:
        if part not in self._parts:
            raise WorkbookError("the picture is missing in the workbook; put it into the cell again")
        if self._parts.size(part) > _MAX_BYTES:
            raise WorkbookError(
                f"the picture has {self._parts.size(part):,} bytes; at most {_MAX_BYTES:,} are read"
            )
        try:
            content = self._parts.read(part, _MAX_BYTES)
        except WorkbookError:
            raise WorkbookError("the picture is broken in the workbook; put it into the cell again") from None
        name = hashlib.sha256(content).hexdigest()
        suffix = next((suffix for magic, suffix in _SUFFIXES.items() if content.startswith(magic)), ".bin")
        path = self._folder / name[:2] / f"{name}{suffix}"
        if not path.exists() or path.stat().st_size != len(content):
            path.parent.mkdir(parents=True, exist_ok=True)
            with on_disk(path) as file:
                file.write(content)
        return path
