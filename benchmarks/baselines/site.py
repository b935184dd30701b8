"""What a baseline's processes read from the environment."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

VARIABLE = "BENCH_SITE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The addresses and numbers of one round."""

    #: The vendor's base url.
    vendor: str
    redis: str
    #: Where the pictures go.
    out: str
    first_poll_s: float
    every_s: float
    #: Jobs in hand at once, in one process.
    hands: int
    #: Pictures a second over all processes, 0: no limit.
    rate: int
    processes: int

    def to_environment(self) -> dict[str, str]:
        """The variable for a child."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Self:
        """What the harness said; the pictures' folder is made."""
        site = cls(**json.loads(os.environ[VARIABLE]))
        Path(site.out).mkdir(parents=True, exist_ok=True)
        return site
