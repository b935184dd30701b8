"""What commands of libraries load only when it is used."""

import os
import subprocess
import sys

SNIPPET = """
import sys
from jobs.deferred import defer_unused
defer_unused()
import pydantic
class Model(pydantic.BaseModel):
    x: int
metadata = sys.modules["importlib.metadata"]
assert type(metadata).__name__ == "_Deferred", "loaded with pydantic"
from importlib.metadata import entry_points, version
assert version("pydantic") == pydantic.VERSION
assert list(entry_points(group="console_scripts"))
assert entry_points(group="no such group") == metadata.entry_points(group="no such group")
"""
CALLED_FIRST = """
import sys
from jobs.deferred import defer_unused
defer_unused()
from importlib.metadata import entry_points
assert list(entry_points(group="console_scripts"))
assert type(sys.modules["importlib.metadata"]).__name__ == "module"
"""


def test_metadata_of_packages_are_loaded_with_pydantic_only_when_used() -> None:
    env = os.environ | {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
    subprocess.run([sys.executable, "-c", SNIPPET], env=env, check=True)


def test_a_function_that_was_taken_before_loads_its_module() -> None:
    subprocess.run([sys.executable, "-c", CALLED_FIRST], check=True)
