"""What a person types of a manifest: one list for all commands that take one."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, get_type_hints

from jobs.cli.options import (
    AcceptOpt,
    AgainOpt,
    BatchOpt,
    CheckOpt,
    ConfigOpt,
    EncodingOpt,
    ManifestArg,
    OnlyOpt,
    OutputOpt,
    RootOpt,
    SheetOpt,
    StrictOpt,
    VisibleOpt,
)
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
    """Its files and the options that go with it."""

    manifest: ManifestArg
    batch: BatchOpt = None
    again: AgainOpt = ""
    sheet: SheetOpt = None
    visible_only: VisibleOpt = False
    encoding: EncodingOpt = ""
    root: RootOpt = None
    check_urls: CheckOpt = False
    only: OnlyOpt = None
    output: OutputOpt = None
    config: ConfigOpt = None
    strict: StrictOpt = False
    accept_new_ledger: AcceptOpt = False

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


def takes_given(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorates a command that takes a `Given` first: typer sees its fields, but for these, as the command's options."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        taken = {each.name: each for each in fields(Given) if each.name not in without}
        hints = get_type_hints(Given, include_extras=True) | get_type_hints(command, include_extras=True)
        own = list(signature(command).parameters.values())[1:]

        def spelled_out(**options: Any) -> None:
            command(Given(**{name: options.pop(name) for name in taken}), **options)

        parameters = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=_default(each.default), annotation=hints[name])
            for name, each in taken.items()
        ] + [each.replace(annotation=hints[each.name]) for each in own]
        spelled_out.__doc__ = command.__doc__
        spelled_out.__annotations__ = {each.name: each.annotation for each in parameters}
        spelled_out.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # a function may have one
        return spelled_out

    return decorate


def _default(value: object) -> object:
    return Parameter.empty if value is MISSING else value


def extracted(settings: Settings) -> Path:
    """Where the pictures that stand in workbooks lie as files."""
    return settings.data_dir.absolute() / "extracted"
