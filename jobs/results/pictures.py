"""The pictures of a batch folder: copies of the store's, named by their rows, never written over."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from jobs.pictures.stored import Gap, Hashes, copy_file, is_linked
from jobs.records import Owner
from jobs.results.files import temporary
from jobs.results.lines import ResultLine

log = structlog.get_logger()


class BatchPictures:
    """Puts pictures of the store (`<store>/<2 hex>/<sha256>.<ext>`) into one batch folder."""

    def __init__(self, store: Path, folder: Path, hashes: Hashes) -> None:
        self._store = store
        self._folder = folder
        self._hashes = hashes
        #: Rows whose gap was logged.
        self._logged: set[int] = set()

    def placed(self, lines: Iterable[ResultLine]) -> Iterator[ResultLine]:
        """The same lines, their pictures lying whole in the folder before they are told of.

        A row whose picture neither the folder nor the store has whole is told as a gap: it must not keep the others back.
        """
        for line in lines:
            found = [self._place(image) for image in line["images"]]
            line["images"] = [image for image in found if not isinstance(image, Gap)]
            gap = next((image for image in found if isinstance(image, Gap)), None)
            if gap is not None:
                self._log(line, gap)
                line.update(_lost(gap))
            yield line

    def _place(self, image: Mapping[str, Any]) -> dict[str, Any] | Gap:
        """The image with its path in the folder."""
        path, sha256 = image["path"], image["sha256"]
        name = f"{sha256}.{path.rpartition('.')[2]}"
        stored = self._store / name[:2] / name
        for target in _names(self._folder / path, sha256[:8]):
            whole = self._holds(target, sha256)
            if not whole and not _is_free(target):
                continue
            gap = self._hashes.gap(stored, image)
            if gap and not whole:
                return gap
            if gap:
                self._restore(target, stored)
            elif not whole or is_linked(target, stored):
                copy_file(stored, target, temporary(self._folder / target.name))
            return dict(image) | {"path": f"images/{target.name}"}
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

    def _log(self, line: ResultLine, gap: Gap) -> None:
        if line["row"] not in self._logged:
            self._logged.add(line["row"])
            log.error(
                "image.failed", what=gap.kind, why=gap.what, row=line["row"], request_id=line["request_id"]
            )


def _lost(gap: Gap) -> ResultLine:
    return {
        "status": "failed",
        "source": None,
        "error": {
            "class": gap.kind,
            "code": None,
            "message": f"it was bought, but its file in the picture store (data_dir/pictures) {gap.what}: restore it,"
            " then vton results",
            "retryable": False,
            "owner": Owner.OPS.value,
        },
    }


def _is_free(target: Path) -> bool:
    """Nobody's, or an empty file, which is what a power cut leaves of a copy."""
    return not target.exists() or (target.is_file() and not target.stat().st_size)


def _names(wanted: Path, digest: str) -> Iterator[Path]:
    """The name wanted, and those to take when somebody else has it."""
    yield wanted
    yield wanted.with_name(f"{wanted.stem}_{digest}{wanted.suffix}")
    for number in count(2):
        yield wanted.with_name(f"{wanted.stem}_{digest}-{number}{wanted.suffix}")
