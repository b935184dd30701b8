"""Which file of a batch folder an address names: the page, its rows, thumbnails and pictures, and nothing else."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: The page, in the batch folder.
PAGE: Final = "report/index.html"
_TYPES: Final = {
    "html": "text/html",
    "js": "text/javascript",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
}
_SHOWN: Final = re.compile(
    r"report/index\.html|report/rows/[0-9]{4,6}\.js|(?P<small>report/thumbnails/[0-9a-f]{2}/[0-9a-f]{64}\.webp)"
    r"|images/[^/\0]{1,255}\.(?:jpg|jpeg|png|webp)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file that may be shown."""

    path: Path
    media_type: str
    #: Its name follows from its content, so that a browser need not ask again.
    lasting: bool


def small_path(sha256: str) -> str:
    """Where the thumbnail of a picture is, in the batch folder."""
    return f"report/thumbnails/{sha256[:2]}/{sha256}.webp"


def shown(output_dir: Path, batch: str, path: str) -> Shown | None:
    """The file, or None when it is not there or not to be shown; links may not lead out of the batch folder."""
    match = _SHOWN.fullmatch(path)
    if match is None or not batch or batch.startswith(".") or "/" in batch or "\0" in batch:
        return None
    folder = output_dir / batch
    try:
        found = (folder / path).resolve()
        if not found.is_relative_to(folder.resolve()) or not found.is_file():
            return None
    except OSError:
        return None
    return Shown(path=found, media_type=_TYPES[path.rpartition(".")[2]], lasting=match["small"] is not None)
