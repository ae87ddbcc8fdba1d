"""Modules that a library imports and that nothing here uses: loaded when somebody asks one of them for something."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """In the place of a module that is not loaded yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # as the import system asks of any module
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def put_off(*names: str) -> Iterator[None]:
    """Whoever imports one of these modules within the block gets one that loads when it is used.

    Modules that are loaded already stay as they are.
    """
    waiting = {name: _Later(name) for name in names if name not in sys.modules}
    sys.modules.update(waiting)
    try:
        yield
    finally:
        for name, module in waiting.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
