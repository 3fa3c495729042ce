"""A whole process watched without being touched: every engine it makes, whoever does.

``create_engine`` ends with a public hook, ``Dialect.engine_created``. When SQLAlchemy
is imported, or at once if it is already, that hook is made to tell us, too. It comes
late: the engine is complete then, and nothing of ours is between the application and
``create_engine`` when that warns or raises. (``Engine.__init__`` would be too early,
and cannot be replaced at all: ``create_engine`` reads arguments off its code.)

This module imports neither SQLAlchemy nor anything with threads or sockets: a program
may want to replace those before it imports anything else.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from connmon.client.options import Source, program_name

ENGINES = "sqlalchemy.engine.interfaces"
"""The module that has the hook."""

CHILDREN = "multiprocessing.spawn"
"""The module that says what a child that is not forked must know."""

ASKED: Source | None = None
"""What was asked for all engines of this process, once ``watch_all`` was called."""


def watch_all(asked: Source) -> None:
    """Watch every engine that this process makes from now on.

    So do its children: those that are forked anyway, and those that ``multiprocessing``
    starts anew. Whatever else it starts is another program.
    """
    global ASKED
    # Whoever asked has been told of mistakes; the program has no part in them.
    first, ASKED = ASKED is None, replace(asked, told=False)
    if first:
        hear_of_engines()
        _when_imported(CHILDREN, _tell_children)


def hear_of_engines() -> None:
    """Watch every engine of this process, as its environment has it."""
    _when_imported(ENGINES, _hear_of_engines)


def _hear_of_engines(interfaces: ModuleType) -> None:
    """Be told of each engine when it is complete."""
    dialect: Any = interfaces.Dialect
    own = dialect.__dict__["engine_created"].__func__

    @functools.wraps(own)
    def engine_created(cls: type[Any], engine: Any) -> None:
        own(cls, engine)
        _arrived(engine)

    dialect.engine_created = classmethod(engine_created)


def _arrived(engine: Any) -> None:
    """An engine is complete. Never raises."""
    try:
        from connmon.client import engines
    except Exception as error:
        import logging

        logging.getLogger("connmon").warning("connmon: cannot be imported: %r", error)
    else:
        engines.arrived(engine)


# -- children of multiprocessing -------------------------------------------------------

#: Run by a child before anything else. One that cannot import us does without.
_BEGINNING = """
try:
    from connmon.client.options import Source
    from connmon.client.process import watch_all
    watch_all(Source(values, spelling))
except Exception:
    pass
"""


class _Beginning:
    """What a child unpickles, and by that watches its own engines."""

    def __init__(self, asked: Source) -> None:
        """Ask for the same; the child may not know what the program is called."""
        self._values = {"program": program_name(), **asked.values}
        self._spelling = asked.spelling

    def __reduce__(self) -> tuple[Any, ...]:
        """Builtins only: a name that a child cannot import would be its end."""
        return exec, (_BEGINNING, {"values": self._values, "spelling": self._spelling})


def _tell_children(spawn: ModuleType) -> None:
    """Have every child told, with what it must know to begin at all."""
    changed: Any = spawn
    own = changed.get_preparation_data

    @functools.wraps(own)
    def get_preparation_data(name: str) -> dict[str, Any]:
        data: dict[str, Any] = own(name)
        if ASKED is not None:
            data["connmon"] = _Beginning(ASKED)
        return data

    changed.get_preparation_data = get_preparation_data


# -- modules that are not imported yet -------------------------------------------------


def _when_imported(name: str, executed: Callable[[ModuleType], None]) -> None:
    """Call ``executed`` with a module: at once, or when it is imported."""
    loaded = sys.modules.get(name)
    if loaded is None:
        sys.meta_path.insert(0, _Finder(name, executed))
    else:
        executed(loaded)


class _Finder:
    """Has one module found as ever, but hears of it once it is executed.

    Nothing is left of it then: the module's loader and spec are as they would be.
    """

    def __init__(self, name: str, executed: Callable[[ModuleType], None]) -> None:
        """Call ``executed`` with the module of that name."""
        self._name = name
        self._executed = executed

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """The module's spec, from whoever else has it; ``None`` for all others."""
        if name != self._name:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                self._listen(spec.loader)
                return spec
        return None

    def _listen(self, loader: Any) -> None:
        """Hear of the end of the module's execution."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            # A zip file's loader serves all modules of the file.
            if module.__name__ == self._name:
                del loader.exec_module
                sys.meta_path.remove(self)
                self._executed(module)

        # The loader's own, not one of ours around it: it has more methods than this.
        loader.exec_module = exec_module
