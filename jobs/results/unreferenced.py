"""Files of the data folder that nothing in the ledger refers to any more: pictures, and what was made of pictures.

Each of them is named by a hash, of its own content or of what it was made of. A job that stays says which hashes it needs.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobs.errors import ConfigError, UnwrittenError
from jobs.failpoints import reach
from jobs.flags.measures import key_of
from jobs.ledger import Ledger
from jobs.ledger.codec import decode, decode_pair, decode_refs
from jobs.ledger.pruning import job_ids
from jobs.records import BatchId, LocalFile, Pair, Picture
from jobs.redis.client import translated
from jobs.report.thumbnails import address_key

#: The folders of such files, `<2 hex>/<hash>…`: pictures that were bought, and what can be made anew.
PICTURES: Final = "pictures"
FOLDERS: Final = (PICTURES, "thumbnails", "measures", "converted", "extracted")
#: Younger ones stay: they may be stored, and not recorded yet.
YOUNGEST_S: Final = 3600.0
#: Letters of a hash by which it is known; should two files be alike in them, one too many stays.
_LETTERS: Final = 16

#: Whether a job with these refs is about to go.
Going = Callable[[frozenset[BatchId]], bool]


@dataclass(slots=True, kw_only=True)
class Files:
    """Files that go, or have gone."""

    pictures: int = 0
    others: int = 0
    bytes: int = 0


def needed(ledger: Ledger, going: Going = lambda _batches: False) -> set[int | None]:
    """Hashes that the jobs that stay need. Raises ConfigError: a job cannot be read."""
    found: set[int | None] = set()
    for ids in job_ids(ledger):
        pipeline = ledger.client.pipeline(transaction=False)
        for each in ids:
            pipeline.hmget(ledger.key("job", each), "refs", "pair", "pictures")
        with translated():
            jobs = pipeline.execute()
        for request_id, (refs, pair, pictures) in zip(ids, jobs, strict=True):
            try:
                if not going(frozenset(map(BatchId, decode_refs(refs or "")))):
                    found.update(_number(each) for each in _hashes(pair, pictures))
            except ValueError:
                raise ConfigError(
                    f"the ledger's record of job {request_id} cannot be read: nobody knows its pictures, no file is removed"
                ) from None
    return found


def _hashes(pair_text: str | None, pictures_text: str | None) -> Iterator[str]:
    """Of one job. Raises ValueError."""
    pair: Pair | None = decode_pair(pair_text) if pair_text else None
    for _, source in pair.slots() if pair else ():
        yield source.sha256 if isinstance(source, LocalFile) else address_key(source.url)
    for picture in decode(pictures_text, tuple[Picture, ...]) if pictures_text else ():
        yield picture.sha256
        if pair:
            yield key_of(picture.sha256, pair)


def unreferenced(
    data_dir: Path, keep: set[int | None], older_than_s: float, now_s: float
) -> Iterator[tuple[Path, os.stat_result]]:
    """Old files that no hash of `keep` names, folder by folder."""
    limit = now_s - max(older_than_s, YOUNGEST_S)
    for folder in FOLDERS:
        for path in (data_dir / folder).glob("[0-9a-f][0-9a-f]/*"):
            number = _number(path.name)
            if number is None or number in keep:
                continue
            with suppress(FileNotFoundError):
                found = path.stat()
                if found.st_mtime <= limit:
                    yield path, found


def remove(data_dir: Path, files: Iterable[tuple[Path, os.stat_result]], *, dry_run: bool = False) -> Files:
    """Removes them and counts. One that was stored anew meanwhile stays: the same content has the same name."""
    gone = Files()
    for path, found in files:
        if not dry_run:
            reach("prune_files")
            try:
                if path.stat().st_mtime_ns != found.st_mtime_ns:
                    continue
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise UnwrittenError(f"{path}: cannot be removed: {error.strerror}") from error
        if path.is_relative_to(data_dir / PICTURES):
            gone.pictures += 1
        else:
            gone.others += 1
        gone.bytes += found.st_size
    return gone


def _number(name: str) -> int | None:
    try:
        return int(name[:_LETTERS], 16)
    except ValueError:
        return None
