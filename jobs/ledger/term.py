"""Terms: the time in which one server is the primary. Whoever knows a later one changes nothing on a server of before.

The ledger has the number of its term and a mark of its server, `<number>-<8 hex>`; 0 before the first fail-over. It rises
where a script finds that a replica was promoted (`recognise` in prelude.lua). Every script is told the latest term that its
process knows: on a server of an earlier one it changes nothing and answers READONLY, as a replica would.
"""

from dataclasses import dataclass
from typing import Final

#: Before the first fail-over.
FIRST: Final = "0"
#: What a script answers, with its ledger's term, to whoever knows only an earlier one: it has changed nothing.
_LATER: Final = "TERM "


def term_number(text: str) -> int:
    """How many terms were before it; 0 for what nobody can read."""
    number = text.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


@dataclass(slots=True)
class KnownTerm:
    """The latest term that a process knows of one ledger; it only ever rises, and all doors of the process share it."""

    text: str = FIRST

    def key(self, prefix: str) -> str:
        """How a script is told it: as a name of its keys, which a user's rights cover."""
        return f"{prefix}:term:{self.text}"

    def learn(self, text: str) -> None:
        """Another one was seen; only a later one counts."""
        if term_number(text) > term_number(self.text):
            self.text = text

    def learns(self, answer: object) -> bool:
        """Whether a script has refused a call for an earlier term than its ledger's: then it is sent again as it was.

        Several calls may be refused at once; what the first has learnt is known to the others.
        """
        _, refused, text = str(answer).partition(_LATER) if isinstance(answer, Exception) else ("", "", "")
        if refused:
            self.learn(text.split()[0])
        return bool(refused)
