"""A command with the words that a batch's manifest was given with, as it is to be typed in the present folder."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from jobs.config.advice import command
from jobs.records import shown


def as_typed(words: Iterable[str], *, simulated: bool) -> str:
    """`vton run …` with such words."""
    return command(f"run {typed(words)}", simulated=simulated)


def typed(words: Iterable[str]) -> str:
    """The words alone; MANIFEST stands where none are known."""
    return shown(shlex.join(map(_here, words))) or "MANIFEST"


def _here(word: str) -> str:
    """A path as it is called from the present folder, if it lies within."""
    path = Path(word)
    if not path.is_absolute() or not path.is_relative_to(Path.cwd()):
        return word
    near = str(path.relative_to(Path.cwd()))
    return f"./{near}" if near.startswith("-") else near
