"""The pictures of a batch folder: copies of the store's, named by their rows, never written over."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import structlog
from msgspec.structs import replace

from jobs.marks.found import marks_of_stored
from jobs.pictures.stored import Gap, Hashes, copy_file, is_linked
from jobs.records import Image, JobState, Owner, ResultLine, RowError
from jobs.results.files import temporary

log = structlog.get_logger()


class BatchPictures:
    """Puts pictures of the store (`<store>/<2 hex>/<sha256>.<ext>`) into one batch folder."""

    def __init__(self, store: Path, folder: Path, hashes: Hashes) -> None:
        self._store = store
        self._folder = folder
        self._hashes = hashes
        #: Rows whose gap was logged.
        self._logged: set[int] = set()

    def placed(self, line: ResultLine) -> ResultLine:
        """The line, its pictures lying whole in the folder before they are reported.

        A row whose picture neither the folder nor the store has whole becomes a gap: it must not keep the others back.
        """
        if not line.images:
            return line
        found = [self._place(image) for image in line.images]
        whole = tuple(image for image in found if isinstance(image, Image))
        gap = next((image for image in found if isinstance(image, Gap)), None)
        if gap is None:
            return replace(line, images=whole)
        if line.row not in self._logged:
            self._logged.add(line.row)
            log.error("image.failed", what=gap.kind, why=gap.what, row=line.row, request_id=line.request_id)
        why = (
            f"it was bought, but its file in the picture store (data_dir/pictures) {gap.what}: restore it,"
            " then vton results"
        )
        error = RowError(kind=gap.kind, message=why, retryable=False, owner=Owner.OPS)
        return replace(line, images=whole, status=JobState.FAILED.value, source=None, error=error)

    def _place(self, image: Image) -> Image | Gap:
        """The image with its path in the folder."""
        name = f"{image.sha256}.{image.path.rpartition('.')[2]}"
        stored = self._store / name[:2] / name
        for target in _names(self._folder / image.path, image.sha256[:8]):
            whole = self._holds(target, image.sha256)
            if not whole and not _is_free(target):
                continue
            gap = self._hashes.gap(stored, sha256=image.sha256, size=image.bytes)
            if gap and not whole:
                return gap
            if gap:
                self._restore(target, stored)
            elif not whole or is_linked(target, stored):
                copy_file(stored, target, temporary(self._folder / target.name))
            return replace(image, path=f"images/{target.name}", marks=marks_of_stored(target, image.sha256))
        raise AssertionError("names never end")

    def _holds(self, target: Path, sha256: str) -> bool:
        try:
            return self._hashes.of(target) == sha256
        except OSError:
            return False

    def _restore(self, copy: Path, stored: Path) -> None:
        """The store gets back from a batch's copy what it has lost."""
        with suppress(OSError):
            stored.parent.mkdir(parents=True, exist_ok=True)
            (self._store / ".tmp").mkdir(exist_ok=True)
            copy_file(copy, stored, self._store / ".tmp" / f"picture-{secrets.token_hex(8)}")
            log.warning("image.restored", picture=stored.name, source=str(copy))


def _is_free(target: Path) -> bool:
    """Nobody's, or an empty file, which is what a power cut leaves of a copy."""
    return not target.exists() or (target.is_file() and not target.stat().st_size)


def _names(wanted: Path, digest: str) -> Iterator[Path]:
    """The name wanted, and those to take when somebody else has it."""
    yield wanted
    yield wanted.with_name(f"{wanted.stem}_{digest}{wanted.suffix}")
    for number in count(2):
        yield wanted.with_name(f"{wanted.stem}_{digest}-{number}{wanted.suffix}")
