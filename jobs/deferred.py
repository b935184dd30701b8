"""What libraries load of themselves and most processes never use: loading it takes longer than many a command runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
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


def defer_async_redis() -> None:
    """Lets redis load its half for event loops when something is looked up in `redis.asyncio`."""
    package, name = find_spec("redis"), "redis.asyncio"
    spec = PathFinder.find_spec(name, package.submodule_search_locations) if package else None
    if spec is not None and "redis" not in sys.modules:
        sys.modules[name] = module_from_spec(spec)
        sys.modules[name].__class__ = _Deferred


class _Deferred(ModuleType):
    """A module that is loaded at the first look into it."""

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # type: ignore[assignment]
        if self.__spec__ is not None and self.__spec__.loader is not None:
            self.__spec__.loader.exec_module(self)
        return getattr(self, name)
