"""What the command line says to every bench."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frame.contenders import Contender
from benchmarks.frame.ours import Ours, before


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run's options."""

    #: A smoke of the benches; its numbers mean nothing.
    quick: bool
    repeats: int
    #: redis-server's appendfsync for every contender alike: no, everysec or always.
    aof: str
    #: Only contenders whose name has one of these words; empty: all.
    only: tuple[str, ...] = ()
    #: A checkout of an earlier build with its own `.venv`, measured in turns with this one; None: not measured.
    before: Path | None = None

    def wants(self, name: str) -> bool:
        """Whether a contender of this name runs."""
        return not self.only or any(word in name.lower() for word in self.only)

    def chosen(self, contenders: Sequence[type[Contender]]) -> list[type[Contender]]:
        """The contenders that run, each of ours after its earlier build."""
        every: list[type[Contender]] = []
        for each in contenders:
            if self.before is not None and issubclass(each, Ours):
                every.append(before(each, self.before))
            every.append(each)
        return [each for each in every if self.wants(each.name)]
