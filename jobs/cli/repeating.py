"""The command that runs a batch's manifest once more, as it is to be typed here."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.cli.advice import is_simulated
from jobs.health.typed import as_typed
from jobs.ledger import Ledger
from jobs.ledger.codec import decode_path
from jobs.records import BatchId

__all__ = ["as_typed", "run_again", "words_of"]

#: The manifest on standard input.
_STDIN = "-"


def words_of(manifests: Sequence[str], **options: object) -> tuple[str, ...]:
    """What stands behind `vton run`, whichever folder it is typed in; `options`: named as in the function of the command."""
    words = [each if each == _STDIN else str(Path(each).absolute()) for each in manifests]
    return (*words, *(word for name, given in options.items() for word in _option(name, given)))


def _option(name: str, given: object) -> Iterator[str]:
    option = f"--{name.replace('_', '-')}"
    if given is True:
        yield option
    elif isinstance(given, list):
        for each in given:
            yield from (option, str(each))
    elif given:
        yield from (option, str(given.absolute()) if isinstance(given, Path) else str(given))


def run_again(ledger: Ledger, batch_id: BatchId) -> str:
    """`vton run …` of a batch; MANIFEST stands where an earlier version has not kept it. Raises NotFoundError."""
    words = map(decode_path, ledger.batch(batch_id).words)
    return as_typed(words, simulated=is_simulated(ledger))
