"""plan.csv: every problem of a manifest, a line each, for whoever mends the catalog."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from jobs.cells import safe_cell
from jobs.config.settings import Settings
from jobs.errors import UsageError
from jobs.problems import Problem
from jobs.records import BatchId, Dialect

log = structlog.get_logger()

#: Below the output folder. No batch is called so: names begin with a letter or a digit.
_FOLDER = "_plans"
COLUMNS = (
    "file", "row", "place", "sku", "column", "severity", "kind", "problem", "value", "suggestion", "owner",
)  # fmt: skip


class PlanList:
    """Writes the list as problems are found; without any there is no file."""

    def __init__(self, path: Path, dialect: Dialect, *, wanted: bool) -> None:
        """Takes the file's name and how tables of the manifest are written.

        `wanted`: a person has named the file; else a folder that cannot be written to only loses the list.
        """
        self.path = path
        self._dialect = dialect
        self._wanted = wanted
        self._stack = ExitStack()
        self._writer: Any = None
        #: Why there is no list; empty while there is one, or nothing to list.
        self.fault = ""

    @contextmanager
    def open(self) -> Iterator["PlanList"]:
        """Takes problems inside; the file has its name when all went well."""
        with self._stack:
            yield self
            if self._writer is None and self._wanted:
                self._begun()
            elif self._writer is None:
                # That of an earlier plan tells of what is mended.
                with suppress(OSError):
                    self.path.unlink()

    def take(self, problem: Problem) -> None:
        """Writes one problem. Raises UsageError: the named file cannot be written."""
        if self.fault:
            return
        if self._writer is None and not self._begun():
            return
        cells = (
            problem.file, str(problem.row), problem.where, problem.sku, problem.column, problem.severity,
            problem.kind, problem.words, problem.value, problem.suggestion, problem.owner,
        )  # fmt: skip
        self._writer.writerow([safe_cell(cell) for cell in cells])

    @property
    def written(self) -> bool:
        """Whether there is a list."""
        return self._writer is not None

    def _begun(self) -> bool:
        from jobs.results.files import PRIVATE, replacing  # noqa: PLC0415

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self._stack.enter_context(
                replacing(
                    self.path, lambda: None, bom=self._dialect.bom, errors="backslashreplace", rights=PRIVATE
                )
            )
        except OSError as error:
            self.fault = f"{self.path}: the list of problems cannot be written: {error.strerror}"
            if self._wanted:
                raise UsageError(f"--output: {self.fault}") from None
            return False
        self._writer = csv.writer(file, delimiter=self._dialect.delimiter)
        self._writer.writerow(COLUMNS)
        return True


def plan_list(
    settings: Settings, batch_id: BatchId, dialect: Dialect, named: Path | None, manifests: Sequence[str]
) -> PlanList:
    """The list of one plan. Raises UsageError: its name is no name for it."""
    if named is None:
        return PlanList(settings.output_dir / _FOLDER / batch_id / "plan.csv", dialect, wanted=False)
    if named.suffix.lower() != ".csv" or named.is_dir():
        raise UsageError(f"--output: {named.name}: the list of problems is a table; name it ….csv")
    if named.exists() and any(each != "-" and named.samefile(each) for each in manifests):
        raise UsageError(f"--output: {named.name} is a manifest; give the list another name")
    if (named.parent / "results.jsonl").exists():
        raise UsageError(f"--output: {named.parent} holds a batch's results; give the list another folder")
    return PlanList(named, dialect, wanted=True)
