"""Commands that are advised: each is runnable as it is printed, with the options that say which shop is meant."""

import os
import shlex
from pathlib import Path
from typing import Final

#: The file that `--config` named, for this process and those that it starts.
_GIVEN: Final = "VTON_GIVEN_CONFIG"
#: Variables that say which file is read; no settings.
CONFIG_VARIABLES: Final = frozenset({"VTON_CONFIG", _GIVEN})


def remember_config(config: Path) -> None:
    """From here on this process, and those that it starts, read that file and name it in each command that they advise."""
    os.environ["VTON_CONFIG"] = os.environ[_GIVEN] = str(config.absolute())


def command(words: str, *, simulated: bool) -> str:
    """`vton WORDS` as it is to be typed here; `simulated`: of a simulated shop, or it would act on the real account."""
    given = os.environ.get(_GIVEN, "")
    if given and Path(given).is_relative_to(Path.cwd()):
        given = str(Path(given).relative_to(Path.cwd()))
    config = f" --config {shlex.quote(given)}" if given else ""
    return f"vton {words}{' --simulate' if simulated else ''}{config}"
