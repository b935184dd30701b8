"""What libraries load of themselves and most processes never use: loading it takes longer than many a command runs."""

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any


@contextmanager
def left_out(package: str) -> Iterator[None]:
    """Libraries that are loaded inside do without a package that they would use if it were there."""
    loaded = package in sys.modules
    if not loaded:
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if not loaded:
            del sys.modules[package]


@contextmanager
def certificates_left_out() -> Iterator[None]:
    """Libraries that are loaded inside do without certificates of their own, which take longer than all else of them.

    Contexts for TLS that they make then trust nobody: whoever connects brings one along.
    """
    make = ssl.create_default_context
    ssl.create_default_context = lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        ssl.create_default_context = make


def defer_unused() -> None:
    """What of the libraries is loaded when something is looked up in it: redis' half for event loops, packages' metadata."""
    _defer("redis.asyncio")
    # pydantic takes this function when it loads, and calls it where plugins are looked for, which no command does.
    _defer("importlib.metadata", "entry_points")


def _defer(name: str, *functions: str) -> None:
    """Unless it is loaded already, or not to be found. `functions` can be taken without loading it; called, they load it."""
    top, *between = name.split(".")[:-1]
    package = find_spec(top)
    places = [str(Path(place, *between)) for place in (package and package.submodule_search_locations) or ()]
    spec = PathFinder.find_spec(name, places)
    if spec is None or name in sys.modules:
        return
    module = sys.modules[name] = module_from_spec(spec)
    module.__class__ = _Deferred
    for function in functions:
        setattr(module, function, partial(_call, module, function))


def _call(module: ModuleType, function: str, *given: Any, **named: Any) -> Any:
    _load(module)
    return getattr(module, function)(*given, **named)


def _load(module: ModuleType) -> None:
    if isinstance(module, _Deferred):
        module.__class__ = ModuleType  # type: ignore[assignment]
        if module.__spec__ is not None and module.__spec__.loader is not None:
            module.__spec__.loader.exec_module(module)


class _Deferred(ModuleType):
    """A module that is loaded at the first look into it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            # Whoever imports it asks whether it is a package.
            raise AttributeError(name)
        _load(self)
        return getattr(self, name)
