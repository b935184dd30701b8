"""A manifest before it is taken in: opened, named, looked through, before anything of it is recorded."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from jobs.cli.given import Given, extracted
from jobs.cli.ledger_identity import check_ledger, check_usable, settle
from jobs.cli.looking import Looking
from jobs.cli.plan_counts import seconds_for
from jobs.cli.session import Session, open_session
from jobs.cli.suggestions import Suggestions
from jobs.config.settings import Settings
from jobs.errors import ManifestError, NotFoundError, UsageError
from jobs.identity import batch_id as identify
from jobs.identity import safe_batch_name
from jobs.ledger.codec import decode_path
from jobs.manifest import Manifest
from jobs.manifest.addresses import unreachable
from jobs.manifest.several import Manifests, open_manifests
from jobs.pictures.check import LocalPictures
from jobs.producing.planning import Planner
from jobs.producing.producer import Producer
from jobs.producing.unread import Unread
from jobs.records import BatchId, shown
from jobs.results.claim import check_folder
from jobs.tracing import traces_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A manifest with a valid row, and whoever will feed it into the ledger."""

    session: Session
    manifest: Manifest | Manifests
    producer: Producer
    batch_id: BatchId
    planner: Planner
    given: Given


@contextmanager
def intake(
    settings: Settings, given: Given, *, output: str = "", stop: Callable[[], None] = lambda: None
) -> Iterator[Intake]:
    """Opens the manifest, or several that make one batch, and the session that it will go into; nothing is recorded yet.

    `output`: where the batch's files belong, see jobs.producing.producer; `stop` is called before each row that is looked at
    and raises what shall end the looking.

    Raises:
        NotFoundError: there is no such manifest.
        ManifestError: no valid row, or with `strict` any bad one or a column that looks misspelt.
        UsageError: as `Given.reading`; or the batch's name is no name, or that of another manifest.
        ConfigError: Redis is not there or would throw away what is written, or the known ledger is gone, or the batch's
            folder holds results of another one.
    """
    manifest = open_manifests(given.manifest, given.reading(settings))
    name = name_of(manifest)
    said = _Said(manifest, name)
    with ExitStack() as stack:
        traces = traces_of(settings.tracing)
        stack.callback(traces.close)
        opened = replace(stack.enter_context(open_session(settings, buying=True)), traces=traces)
        batch_id = batch_of(manifest, given.batch, given.again)
        check_usable(opened)
        if not given.accept_new_ledger:
            check_ledger(opened, batch_id)
        planner = planner_of(opened, manifest, given.again)
        producer = producer_of(opened, manifest, planner, output, given.words)
        said.check(producer, batch_id, strict=given.strict, stop=stop)
        if given.check_urls:
            # Loaded for it alone: with HTTP it takes longer to load than most manifests take.
            from jobs.cli.check_urls import leaving_out  # noqa: PLC0415

            stack.enter_context(leaving_out(opened, manifest, planner, batch_id, producer.problems))
            said.check(producer, batch_id, strict=given.strict, stop=stop)
        if output:
            folder = settings.output_dir / batch_id
            check_folder(folder, opened.ledger, batch_id, accept=given.accept_new_ledger)
        said.tell(strict=given.strict)
        settle(opened, batch_id, accept_new=given.accept_new_ledger)
        yield Intake(
            session=opened,
            manifest=manifest,
            producer=producer,
            batch_id=batch_id,
            planner=planner,
            given=given,
        )
        said.tell()


def producer_of(
    opened: Session, manifest: Manifest | Manifests, planner: Planner, output: str, words: tuple[str, ...]
) -> Producer:
    """Whoever will feed a manifest; `output`, `words`: see jobs.producing.producer."""
    return Producer(
        opened.ledger,
        opened.queue,
        planner,
        file_name=name_of(manifest),
        output=output,
        words=words,
        where=manifest.place,
        unread=Unread(manifest),
        suggest=Suggestions.of(manifest, planner.folder),
        pace_s=seconds_for(1, opened.ledger, opened.settings),
        traces=opened.traces,
    )


class _Said:
    """Remarks on a manifest, and names that look misspelt: some are known at once, others while their rows are read."""

    def __init__(self, manifest: Manifest | Manifests, name: str) -> None:
        self._manifest = manifest
        self._name = name
        self._told: set[str] = set()

    def check(self, producer: Producer, batch_id: BatchId, *, strict: bool, stop: Callable[[], None]) -> None:
        """As the producer's; a name that looks misspelt is as a rule why no row is valid."""
        try:
            producer.check(self._manifest, batch_id, strict=strict, stop=stop)
        except ManifestError as error:
            raise ManifestError(
                "\n  ".join([str(error), *map(str, self._manifest.suspected_typos)])
            ) from None

    def tell(self, *, strict: bool = False) -> None:
        """Logs the new ones; with `strict` raises ManifestError."""
        new = [why for why in map(str, self._manifest.suspected_typos) if why not in self._told]
        if strict and new:
            raise ManifestError(f"{self._name}: {new[0]}")
        self._told.update(new)
        for why in new:
            log.warning("column.suspected_typo", manifest=self._name, why=why)
        for remark in self._manifest.remarks:
            if remark not in self._told:
                log.warning("manifest.remark", manifest=self._name, why=remark)
                self._told.add(remark)


def name_of(manifest: Manifest | Manifests) -> str:
    """What messages call the manifest, or several together."""
    return manifest.name if isinstance(manifest, Manifests) else shown(Path(manifest.path).name)


def planner_of(opened: Session, manifest: Manifest | Manifests, again: str) -> Planner:
    """Plans the rows of a manifest, whose pictures are looked for beside it."""
    if isinstance(manifest, Manifests):
        origins = {path: _origin(opened, path) for path in manifest.paths}
        manifest.count_from({path: origin for path, origin in origins.items() if origin})
        folder = manifest.folder
    else:
        folder = _origin(opened, manifest.path) or manifest.folder
    pictures = opened.settings.pictures
    if isinstance(manifest, Manifests) and not pictures.roots:
        # Not whatever else lies in the folder that they have in common.
        pictures = pictures.model_copy(update={"roots": manifest.roots})
    if unreachable(opened.settings.hidream.base_url):
        # Who serves us from this network reaches its hosts.
        pictures = pictures.model_copy(update={"private_hosts": "allow"})
    local = LocalPictures(
        pictures,
        folder,
        extracted=extracted(opened.settings),
        verdicts=opened.settings.data_dir.absolute() / "pictures.sqlite",
    )
    return Planner(
        local.source,
        epoch=again,
        plain=local.is_plain,
        remarks=local.remarks,
        ahead=Looking(manifest.rows, local).ahead,
        folder=folder,
        volatile=pictures.volatile_parameters,
        judges_by=pictures.model_dump_json(),
    )


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


def batch_of(manifest: Manifest | Manifests, given: str | None, again: str) -> BatchId:
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
