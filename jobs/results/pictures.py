"""The pictures of a batch folder: links into the picture store, named by their rows, never overwritten."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import structlog

from jobs.records import Owner
from jobs.results.files import temporary
from jobs.results.lines import ResultLine

log = structlog.get_logger()


class BatchPictures:
    """Puts pictures of the store (`<store>/<2 hex>/<sha256>.<ext>`) into one batch folder."""

    def __init__(self, store: Path, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def linked(self, lines: Iterable[ResultLine]) -> Iterator[ResultLine]:
        """The same lines, their pictures lying in the folder before they are told of.

        A row whose picture the store has lost is told as a gap: one missing file must not keep the others back.
        """
        for line in lines:
            found = []
            for image in line["images"]:
                path = self._link(image["path"], image["sha256"])
                if path is not None:
                    found.append(image | {"path": path})
            if len(found) < len(line["images"]):
                log.error("image.failed", what="missing", row=line["row"], request_id=line["request_id"])
                line.update(_lost())
            line["images"] = found
            yield line

    def _link(self, path: str, sha256: str) -> str | None:
        """Its path in the folder; None when neither folder nor store has it."""
        name = f"{sha256}.{path.rpartition('.')[2]}"
        stored = self._store / name[:2] / name
        for target in _names(self._folder / path, sha256[:8]):
            if not target.exists():
                if not stored.exists():
                    return None
                _link_or_copy(stored, target, temporary(self._folder / target.name))
            elif not _is(target, stored, sha256):
                continue
            return f"images/{target.name}"
        return None


def _lost() -> ResultLine:
    return {
        "status": "failed",
        "source": None,
        "error": {
            "class": "picture_missing",
            "code": None,
            "message": "it was bought, but the picture store (data_dir/pictures) has lost it: restore it, then vton results",
            "retryable": False,
            "owner": Owner.OPS.value,
        },
    }


def _names(wanted: Path, digest: str) -> Iterator[Path]:
    """The name wanted, and those to take when somebody else has it."""
    yield wanted
    yield wanted.with_name(f"{wanted.stem}_{digest}{wanted.suffix}")
    for number in count(2):
        yield wanted.with_name(f"{wanted.stem}_{digest}-{number}{wanted.suffix}")


def _is(target: Path, stored: Path, sha256: str) -> bool:
    """Whether the target is this very picture: one file by two names, or the same content."""
    if stored.exists() and stored.samefile(target):
        return True
    return target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256


def _link_or_copy(stored: Path, target: Path, new: Path) -> None:
    """`new`: a temporary file in the batch folder, where the next exporter sweeps it if this one is killed."""
    try:
        os.link(stored, target)
    except FileExistsError:
        return
    except OSError:
        # Another file system, or one without links.
        try:
            shutil.copyfile(stored, new)
            new.replace(target)
        finally:
            with suppress(OSError):
                new.unlink()
