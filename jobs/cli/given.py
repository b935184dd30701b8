"""What a person types of a manifest: one list for all commands that take one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from jobs.cli.repeating import words_of
from jobs.config.settings import Settings
from jobs.errors import UsageError
from jobs.manifest import Reading
from jobs.manifest.part import read_conditions
from jobs.manifest.recoded import known_encoding

#: `tables.mark` → whether tables begin with a mark; None for what the manifest shows.
_MARKS = {"auto": None, "always": True, "never": False}
#: What holds for one command and is not typed again.
_ONCE = frozenset({"manifest", "strict", "accept_new_ledger"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Its files and the options that go with it, named as in jobs.cli.options."""

    manifest: Sequence[str]
    batch: str | None = None
    again: str = ""
    sheet: str | None = None
    visible_only: bool = False
    encoding: str = ""
    root: Path | None = None
    check_urls: bool = False
    only: Sequence[str] | None = None
    output: Path | None = None
    config: Path | None = None
    strict: bool = False
    accept_new_ledger: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """What stands behind `vton run` when it is typed again, see jobs.cli.repeating."""
        options = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _ONCE}
        return words_of(self.manifest, **options)

    def reading(self, settings: Settings) -> Reading:
        """How the manifest is read: what the options say, and where a workbook's pictures go.

        Raises:
            UsageError: there is no such encoding, or no such folder, or a condition is none.
        """
        if self.root is not None and not self.root.is_dir():
            raise UsageError(f"--root: there is no folder {self.root}")
        known = known_encoding(self.encoding) if self.encoding else ""
        if known is None:
            raise UsageError(
                f"--encoding: there is no encoding {self.encoding}; write e.g. cp1252, shift_jis, utf-16"
            )
        return Reading(
            pictures=extracted(settings),
            sheet=self.sheet,
            visible_only=self.visible_only,
            encoding=known,
            mark=_MARKS[settings.tables.mark],
            only=read_conditions(self.only or ()),
            root=self.root.resolve() if self.root else None,
        )


def extracted(settings: Settings) -> Path:
    """Where the pictures that stand in workbooks lie as files."""
    return settings.data_dir.absolute() / "extracted"
