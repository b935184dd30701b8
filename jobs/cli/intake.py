"""A manifest before it is taken in: opened, named, looked through, before anything of it is recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from jobs.cli.ledger_identity import check_ledger, settle
from jobs.cli.session import Session, open_session
from jobs.config.settings import Settings
from jobs.errors import ManifestError, NotFoundError, UsageError
from jobs.identity import batch_id as identify
from jobs.identity import safe_batch_name
from jobs.ledger.codec import decode_path
from jobs.manifest import Manifest, Reading, open_manifest
from jobs.manifest.addresses import unreachable
from jobs.manifest.recoded import known_encoding
from jobs.pictures.check import LocalPictures
from jobs.producing.planning import Planner
from jobs.producing.producer import Producer
from jobs.records import BatchId, shown
from jobs.results.claim import check_folder

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A manifest with a valid row, and whoever will feed it into the ledger."""

    session: Session
    manifest: Manifest
    producer: Producer
    batch_id: BatchId


@contextmanager
def intake(
    settings: Settings,
    path: str,
    reading: Reading,
    *,
    batch: str | None,
    again: str,
    strict: bool,
    accept_new_ledger: bool,
    output: str = "",
    stop: Callable[[], None] = lambda: None,
) -> Iterator[Intake]:
    """Opens the manifest and the session that it will go into; nothing is recorded yet.

    `output`: where the batch's files belong, see jobs.producing.producer; `stop` is called before each row that is
    looked at and raises what shall end the looking.

    Raises:
        NotFoundError: there is no such manifest.
        ManifestError: no valid row, or with `strict` any bad one or a column that looks misspelt.
        UsageError: the batch's name is no name, or that of another manifest.
        ConfigError: Redis is not there or would throw away what is written, or the known ledger is gone, or the batch's
            folder holds results of another one.
    """
    manifest = open_manifest(path, reading)
    name = shown(Path(path).name)
    suspected_typos = _SuspectedTypos(manifest, name)
    with open_session(settings, buying=True) as opened:
        batch_id = batch_of(manifest, batch, again)
        if not accept_new_ledger:
            check_ledger(opened, batch_id)
        planner = planner_of(opened, path, manifest, again)
        producer = Producer(
            opened.ledger, opened.queue, planner, file_name=name, output=output, where=manifest.where
        )
        producer.check(manifest, batch_id, strict=strict, stop=stop)
        if output:
            folder = settings.output_dir / batch_id
            check_folder(folder, opened.ledger, batch_id, accept=accept_new_ledger)
        suspected_typos.tell(strict=strict)
        settle(opened, batch_id, accept_new=accept_new_ledger)
        for remark in manifest.remarks:
            log.warning("manifest.remark", manifest=name, why=remark)
        yield Intake(session=opened, manifest=manifest, producer=producer, batch_id=batch_id)
        suspected_typos.tell()


class _SuspectedTypos:
    """Names of a manifest that look misspelt: a table's are known at once, others' while their rows are read."""

    def __init__(self, manifest: Manifest, name: str) -> None:
        self._manifest = manifest
        self._name = name
        self._told = 0

    def tell(self, *, strict: bool = False) -> None:
        """Logs the new ones; with `strict` raises ManifestError."""
        new = self._manifest.suspected_typos[self._told :]
        if strict and new:
            raise ManifestError(f"{self._name}: {new[0]}")
        self._told += len(new)
        for typo in new:
            log.warning("column.suspected_typo", manifest=self._name, why=typo)


def planner_of(opened: Session, path: str, manifest: Manifest, again: str) -> Planner:
    """Plans the rows of a manifest, whose pictures are looked for beside it."""
    folder = _origin(opened, path) or manifest.folder
    pictures = opened.settings.pictures
    if unreachable(opened.settings.hidream.base_url):
        # Who serves us from this network reaches its hosts.
        pictures = pictures.model_copy(update={"private_hosts": "allow"})
    source = LocalPictures(pictures, folder, extracted=extracted(opened.settings)).source
    return Planner(source, epoch=again, folder=folder, volatile=pictures.volatile_parameters)


def reading_of(
    settings: Settings, sheet: str | None, *, visible_only: bool, encoding: str, root: Path | None
) -> Reading:
    """How a manifest is read: what the options say, and where a workbook's pictures go.

    Raises:
        UsageError: there is no such encoding, or no such folder.
    """
    if root is not None and not root.is_dir():
        raise UsageError(f"--root: there is no folder {root}")
    known = known_encoding(encoding) if encoding else ""
    if known is None:
        raise UsageError(f"--encoding: there is no encoding {encoding}; write e.g. cp1252, shift_jis, utf-16")
    return Reading(
        pictures=extracted(settings),
        sheet=sheet,
        visible_only=visible_only,
        encoding=known,
        root=root.resolve() if root else None,
    )


def extracted(settings: Settings) -> Path:
    """Where the pictures that stand in workbooks lie as files."""
    return settings.data_dir.absolute() / "extracted"


def _origin(opened: Session, path: str) -> Path | None:
    """The folder of the manifest that a batch's failed.csv was made from: its pictures are still there."""
    file = Path(path).absolute()
    if file.parent.parent != opened.settings.output_dir.absolute():
        return None
    try:
        folder = opened.ledger.batch(BatchId(file.parent.name)).folder
    except NotFoundError:
        return None
    return Path(decode_path(folder)) if folder else None


def batch_of(manifest: Manifest, given: str | None, again: str) -> BatchId:
    """The batch that a manifest is, or would be. Raises UsageError: a name or label that is none."""
    if shown(again) != again:
        raise UsageError("--again: the label is no UTF-8 text")
    if given is None:
        return identify(manifest.name, manifest.digest, again)
    if safe_batch_name(given) != given:
        raise UsageError(
            "--batch: letters, digits, dots, dashes and underscores only, beginning with a letter or digit"
        )
    return BatchId(given)
