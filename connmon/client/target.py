"""A program of others, run in this process as Python itself would have run it.

The new ``__main__`` stays for good, as Python's own does: threads, exit functions and
multiprocessing look into it long after its last line.
"""

from __future__ import annotations

import builtins
import os
import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import find_spec
from types import CodeType, ModuleType, TracebackType
from typing import Any

from connmon.errors import ConfigError


class NotRunnable(ConfigError):
    """What was to be run cannot be: there is no such script or module."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to run: a script by its path, or a module by its name."""

    name: str
    is_module: bool
    arguments: tuple[str, ...]


def parse(words: Sequence[str]) -> Target:
    """The program that a command line names. Raises ``NotRunnable``."""
    if not words:
        raise NotRunnable("no program after --, expected SCRIPT or -m MODULE")
    first, *rest = words
    if first == "-m":
        if not rest:
            raise NotRunnable("no module after -m, expected -m MODULE")
        return Target(rest[0], True, tuple(rest[1:]))
    if first.startswith("-"):
        raise NotRunnable(
            f"{first} after --, expected SCRIPT or -m MODULE; "
            "options of the interpreter go before -m connmon.attach"
        )
    return Target(_script(first), False, tuple(rest))


def _script(name: str) -> str:
    """The path of a script: as it is given, or else on PATH if it is a bare name."""
    if os.path.exists(name):
        return name
    if os.sep not in name:
        for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        raise NotRunnable(f"no script {name!r} here or on PATH")
    raise NotRunnable(f"no script {name!r}")


def run(target: Target) -> None:
    """Run it to the end of its last line; whatever it raises goes on from here.

    Of a traceback that nobody catches, only the program's own part is shown. Raises
    ``NotRunnable`` before anything was run.
    """
    main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=builtins)
    try:
        code = (_module if target.is_module else _file)(target, main)
        sys.modules["__main__"] = main
        exec(code, main.__dict__)
    except (NotRunnable, SystemExit):
        raise
    except BaseException as error:
        _show_from(_theirs(error.__traceback__))
        raise


def _file(target: Target, main: ModuleType) -> CodeType:
    """A script's code, once ``main`` and ``sys`` are as they are for a script."""
    sys.argv = [target.name, *target.arguments]
    # As Python makes it: not normalised.
    path = os.path.join(os.getcwd(), target.name)
    importer: Any = pkgutil.get_importer(path)
    if importer is not None:
        return _archive(path, importer, main)
    if not _is_safe():
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    kind = SourcelessFileLoader if path.endswith(".pyc") else SourceFileLoader
    loader = kind("__main__", path)
    main.__dict__.update(__loader__=loader, __file__=path, __cached__=None)
    try:
        if isinstance(loader, SourcelessFileLoader):
            return _had(loader.get_code("__main__"), path)
        source = loader.get_data(path)
    except (OSError, ImportError) as error:
        raise NotRunnable(f"can't run {target.name!r}: {error}") from None
    # Not the loader's get_code: a script's is not cached.
    return compile(source, path, "exec", dont_inherit=True)


def _archive(path: str, importer: Any, main: ModuleType) -> CodeType:
    """The code of a directory or a zip file that has a ``__main__``."""
    spec = importer.find_spec("__main__")
    if spec is None:
        raise NotRunnable(f"can't find '__main__' module in {path!r}")
    if _is_safe():
        sys.path.insert(0, path)
    else:
        sys.path[0] = path
    return _specified(spec, main)


def _module(target: Target, main: ModuleType) -> CodeType:
    """A module's code, once ``main`` and ``sys`` are as they are for ``-m``."""
    sys.argv = ["-m", *target.arguments]
    spec = _found(target.name)
    if spec.submodule_search_locations is not None:
        spec = _found(f"{target.name}.__main__")
    code = _specified(spec, main)
    sys.argv[0] = spec.origin or target.name
    return code


def _found(name: str) -> ModuleSpec:
    """The spec of a module, whose packages are imported for that."""
    if name.startswith("."):
        raise NotRunnable(f"module {name!r}, expected a name without leading dots")
    try:
        spec = find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    if spec is None:
        raise NotRunnable(f"no module {name!r}")
    return spec


def _specified(spec: ModuleSpec, main: ModuleType) -> CodeType:
    """The code of a module that was found, to be run as ``main``."""
    loader: Any = spec.loader
    main.__dict__.update(
        __package__=spec.parent,
        __loader__=loader,
        __spec__=spec,
        __file__=spec.origin,
        __cached__=spec.cached,
    )
    get_code = getattr(loader, "get_code", lambda name: None)
    return _had(get_code(spec.name), spec.name)


def _had(code: CodeType | None, name: str) -> CodeType:
    """The code, if there is any."""
    if code is None:
        raise NotRunnable(f"{name!r} has no code that can be run")
    return code


def _is_safe() -> bool:
    """Whether Python was told to put no directory of its own first in ``sys.path``."""
    return bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback after our own."""
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return trace


def _show_from(trace: TracebackType | None) -> None:
    """Have an uncaught error's traceback begin there, when Python shows it next.

    What shows it, Python or a hook of the program's, stays what it was.
    """
    shown = sys.excepthook

    def excepthook(kind: Any, error: BaseException, whole: Any) -> None:
        sys.excepthook = shown
        sys.last_traceback = error.__traceback__ = trace
        shown(kind, error, trace)

    sys.excepthook = excepthook
