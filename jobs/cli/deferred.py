"""What libraries load of themselves and most commands never use; loading it takes longer than such a command runs."""

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


def load_less() -> None:
    """Call it before anything else has loaded redis or structlog."""
    _defer("redis", "asyncio")
    # structlog would load rich to draw tracebacks; ours are plain.
    missing = "rich" not in sys.modules
    if missing:
        sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog  # noqa: F401, PLC0415

    if missing:
        del sys.modules["rich"]


class _Deferred(ModuleType):
    """A module that is loaded when something is looked up in it."""

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # type: ignore[assignment]
        if self.__spec__ is not None and self.__spec__.loader is not None:
            self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _defer(package: str, part: str) -> None:
    name, parent = f"{package}.{part}", find_spec(package)
    spec = PathFinder.find_spec(name, parent.submodule_search_locations) if parent else None
    if spec is not None and package not in sys.modules:
        sys.modules[name] = module_from_spec(spec)
        sys.modules[name].__class__ = _Deferred
