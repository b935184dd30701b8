"""JPEGs made of local pictures, kept in the data folder: each is made once, when it is first sent.

By its name (`<2 hex>/<digest of the source>-<width>x<height>.<digest of the JPEG>.jpg`) one knows whose it is, and whether
it is whole. The folder may be removed at any time: JPEGs are made anew. What a newer library makes differently is the same
picture by its id.
"""

import hashlib
import threading
from pathlib import Path

from jobs.planned_files import MOST_BYTES, read_planned
from jobs.records import LocalFile
from jobs.whole_files import on_disk


class SourceChangedError(Exception):
    """The file that a JPEG shall be made of is not the planned one."""


class ConvertedPictures:
    """Makes JPEGs, one at a time: decoding one may take some hundred megabytes."""

    def __init__(self, folder: Path, *, max_bytes: int = 10_000_000) -> None:
        """`max_bytes`: of a JPEG."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()

    def of(self, source: LocalFile) -> LocalFile:
        """The JPEG of a source that says its size.

        Raises:
            SourceChangedError: the source is not the planned file any more.
            OSError: the source cannot be read.
            ValueError: no JPEG can be made of it, or written.
        """
        folder, name = self._folder / source.sha256[:2], f"{source.sha256}-{source.jpeg}."
        with self._lock:
            for made in sorted(folder.glob(f"{name}*.jpg")):
                digest = made.name[len(name) : -len(".jpg")]
                if self._is_good(made, digest):
                    return LocalFile(path=str(made), sha256=digest)
            return self._make(source, folder, name)

    def _is_good(self, made: Path, digest: str) -> bool:
        """Whether a JPEG is whole and small enough; else it is removed. Somebody else may do so at the same time."""
        try:
            if made.stat().st_size <= self._max_bytes and _digest(made) == digest:
                return True
            made.unlink(missing_ok=True)
        except OSError:
            pass  # what is wrong here is told where a new one is written
        return False

    def _make(self, source: LocalFile, folder: Path, name: str) -> LocalFile:
        # With Pillow, which most submit workers do without.
        from jobs.pictures.conversion import to_jpeg  # noqa: PLC0415

        content = read_planned(source.path, max(MOST_BYTES, self._max_bytes))
        if content is None or hashlib.sha256(content).hexdigest() != source.sha256:
            raise SourceChangedError
        width, _, height = source.jpeg.partition("x")
        jpeg = to_jpeg(content, (int(width), int(height)), self._max_bytes)
        digest = hashlib.sha256(jpeg).hexdigest()
        target = folder / f"{name}{digest}.jpg"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with on_disk(target) as file:
                file.write(jpeg)
        except OSError as error:
            raise ValueError(f"no place for its JPEG ({self._folder}): {error.strerror}") from error
        return LocalFile(path=str(target), sha256=digest)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
