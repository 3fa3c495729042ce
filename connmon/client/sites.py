"""Which line of the application took a connection: the site of a checkout.

In two steps, since every checkout pays for the first. ``here``, in the application's
thread, walks out to the first frame that is the application's and notes its code object
and how far that had come; ``described``, in the reporting thread, makes text of it. No
frame is kept in between, so nobody's local variables live longer.

Frames count by the module whose names their code sees, so code that was generated
belongs to whoever generated it. Python 3.12 and later tell the module of a function
sooner than that, and frames count by either: a wrapper that says it is SQLAlchemy's,
as ``functools.wraps`` makes it, is passed by there.

The application is whatever is not named here:

* ``OURS`` is inside of every checkout, and never the answer.
* ``FRAMEWORKS`` pass on what they were asked for, as do the standard library and the
  methods that ``dataclasses`` and attrs generate: ``pprint.pformat(order)`` may look at
  a lazy attribute. Where the stack has nothing but them, the innermost is the answer.
* ``LOOPS`` run what others left with them. Those are gone from the stack, and what is
  behind a loop only started it: nobody looks there.

An engine of asyncio's uses its pool in a greenlet, where SQLAlchemy is alone. The
coroutine that awaits it is on the stack of the greenlet's parent. If that is all
SQLAlchemy's and asyncio's, in a task that was made of ``session.execute(...)`` itself,
who awaits the task is the answer. It is sought each time: from one place in asyncio,
the way leads to many an application's.

A helper of the application's that takes the connection is the site, not its caller:
with a ``session_scope()`` that the application decorated with ``contextmanager``, the
line in ``session_scope`` rather than the one with the ``with``.
"""

from __future__ import annotations

import dis
import os
import sys
from collections.abc import Callable
from dis import findlinestarts
from inspect import CO_NESTED
from sys import _getframe
from types import CodeType, FrameType, ModuleType
from typing import Any

from connmon.client import awaiting
from connmon.client.foreign import is_handlers
from connmon.client.options import in_tree
from connmon.wire.commands import NAME_LIMIT

OURS = ("connmon.attach", "connmon.client", "greenlet", "sqlalchemy")

FRAMEWORKS = (
    # They use SQLAlchemy for the application, in its own words.
    "advanced_alchemy",
    "alembic",
    "flask_sqlalchemy",
    "flask_sqlalchemy_lite",
    "geopandas",
    "oslo_db",
    "pandas",
    "sqlalchemy_utils",
    "sqlmodel",
    # They call a function on somebody's behalf, perhaps again and again.
    "backoff",
    "retrying",
    "tenacity",
    "wrapt",
    # They take the place of SQLAlchemy's functions, to trace them.
    "ddtrace",
    "elasticapm",
    "newrelic",
    "opentelemetry",
    "scout_apm",
    "sentry_sdk",
    # The standard library's own ways to call something: ``asyncio.wait_for`` is one.
    # It is a framework as a whole, but these also where its files are not to be found.
    "asyncio",
    "contextlib",
    "functools",
    "importlib",
    "typing",
    "weakref",
)

LOOPS = (
    "asyncio.events",
    "asyncio.runners",
    "concurrent",
    "multiprocessing",
    "threading",
    "twisted",
    "uvloop",
)

LIMIT = 1024
"""How many sites, and how many modules, are remembered before it begins anew.

A site keeps its code object, so no more of these than that outlive their functions.
"""

_FUNCTION_LIMIT = 120

_PACKAGES = tuple(
    f"{os.sep}{each}{os.sep}" for each in ("site-packages", "dist-packages")
)

_STANDARD = {
    os.path.dirname(each) + os.sep
    for each in (getattr(os, "__file__", ""), getattr(dis, "__file__", ""))
    if each
}
"""Where the standard library is. Of these two modules one may be frozen into Python."""

_GENERATED = frozenset(
    f"__{each}__"
    for each in (
        *("init", "repr", "hash", "setattr", "delattr"),
        *("eq", "lt", "le", "gt", "ge"),
    )
)
"""What ``dataclasses`` generates."""

# What a module is. ``here`` passes those below the application's.
_OURS, _FRAMEWORK, _APPLICATION, _LOOP = range(4)

_global_of = dict.get


class Site:
    """A place in a program's code. Compared as an object, which costs least.

    There is usually one for each place. Two may tell the same, but one never two.
    """

    __slots__ = ("code", "offset", "text")

    def __init__(self, code: CodeType, offset: int) -> None:
        """``offset`` is that of the instruction, in the code's bytes."""
        self.code = code
        self.offset = offset
        #: What ``described`` made of it.
        self.text: str | None = None


#: By the number of the code object, which is nobody else's while the site has it.
_sites: dict[tuple[int, int], Site] = {}

_kinds: dict[object, int] = {}

_TELLS_MODULES = hasattr(sys, "_getframemodulename")

#: The module of the function that is so deep on the stack. ``None`` beyond its end.
_module_at: Callable[[int], object] = getattr(
    sys, "_getframemodulename", lambda depth: None
)

#: Deeper than stacks are.
_ELSEWHERE = 2**30


def by_names(depth: int = 1) -> Site | None:
    """What ``here`` is, where Python tells modules without making frames for it."""
    seen = depth
    try:
        while True:
            while _kinds[_module_at(seen)] < _APPLICATION:
                seen += 1
            frame = _getframe(seen)
            kind = _kinds[_global_of(frame.f_globals, "__name__")]
            if kind == _APPLICATION:
                return _sites[id(frame.f_code), frame.f_lasti]
            if kind == _LOOP:
                break
            seen += 1
    except (KeyError, TypeError, ValueError) as error:
        if _is_foreign(error):
            raise
    return by_frames(depth + 1)


def by_frames(depth: int = 1) -> Site | None:
    """What ``here`` is elsewhere, and for coroutines."""
    crossed = False
    try:
        frame: FrameType | None = _getframe(depth)
        while frame is not None:
            kind = _kinds[_global_of(frame.f_globals, "__name__")]
            if kind >= _APPLICATION:
                if kind == _APPLICATION:
                    return _sites[id(frame.f_code), frame.f_lasti]
                break
            frame = frame.f_back
            if frame is None and not crossed:
                crossed = True
                frame = _awaiting(_current_greenlet())
    except (KeyError, TypeError, ValueError) as error:
        if _is_foreign(error):
            raise
    return _searched(depth + 1)


here = by_names if _TELLS_MODULES else by_frames
"""Where the application is; its own thread. ``None`` if it is not on the stack.

Looks from the caller outwards with a ``depth`` of 1, from its caller with 2. Raises
nothing of its own; what a signal handler raises meanwhile passes.
"""


def described(site: Site | None) -> str:
    """Tell a site as ``nova/db/api.py:412 instance_get_all``; any thread.

    At most 255 printable characters, empty for ``None``. What follows the last space is
    the function, qualified by its class where Python tells (3.11 and later).
    """
    if site is None:
        return ""
    if site.text is None:
        site.text = told(site.code, _line(site.code, site.offset))
    return site.text


def told(code: CodeType, line: int) -> str:
    """A line of a function, in the same words; any thread."""
    function = getattr(code, "co_qualname", code.co_name).replace(" ", "?")
    end = f":{line} {_ending(function, _FUNCTION_LIMIT)}"
    text = _ending(_short(code.co_filename), NAME_LIMIT - len(end)) + end
    return "".join(each if each.isprintable() else "?" for each in text)


def _searched(depth: int) -> Site | None:
    """What ``here`` seeks, wherever it is and for the first time too."""
    try:
        frame: FrameType | None = _getframe(depth)
    except ValueError:
        return None
    greenlet = _current_greenlet()
    innermost = None
    while frame is not None:
        kind = _kind_at(frame, depth + 1)
        if kind == _APPLICATION:
            return _site(frame)
        if kind != _OURS and innermost is None:
            innermost = frame
        if kind == _LOOP:
            break
        frame, depth = frame.f_back, depth + 1
        while frame is None and _is_spawned(greenlet):
            frame, depth = _awaiting(greenlet), _ELSEWHERE
            greenlet = greenlet.parent
    found = _awaiting_site()
    return _site(innermost) if found is None and innermost is not None else found


def _awaiting_site() -> Site | None:
    """Where the application awaits the task that runs, ``None`` if it does not."""
    try:
        for frame in awaiting.frames():
            if is_of_application(frame):
                return _site(frame)
    except Exception as error:
        # Callbacks may be anything, and other versions of asyncio may differ.
        if is_handlers(error):
            raise
    return None


def _is_foreign(error: Exception) -> bool:
    """Whether an exception comes from what was called meanwhile: a signal handler."""
    trace = error.__traceback__
    return trace is not None and trace.tb_next is not None


def _current_greenlet() -> Any:
    """The greenlet that runs, ``None`` if the program knows of none."""
    getcurrent = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    return None if getcurrent is None else getcurrent()


def _awaiting(greenlet: Any) -> FrameType | None:
    """The frame of whoever awaits a greenlet of SQLAlchemy's, ``None`` for others'."""
    frame: FrameType | None = (
        greenlet.parent.gr_frame if _is_spawned(greenlet) else None
    )
    return frame


def _is_spawned(greenlet: Any) -> bool:
    """Whether a coroutine awaits this greenlet by way of SQLAlchemy.

    Not the parents of others: a hub of gevent's has nothing to do with what it runs.
    """
    return str(type(greenlet).__module__).startswith("sqlalchemy.")


def is_of_application(frame: FrameType) -> bool:
    """Whether a frame is of the application's own code."""
    return _kind_of(frame) == _APPLICATION


def _kind_at(frame: FrameType, depth: int) -> int:
    """What the module of a frame is, which is so deep on this thread's own stack."""
    named = _kind(_module_at(depth))
    return named if named < _APPLICATION else _kind_of(frame)


def _kind_of(frame: FrameType) -> int:
    """What the module is whose names a frame sees."""
    kind = _kind(_global_of(frame.f_globals, "__name__"))
    # Such code sees the names of the application's module. It is never remembered as a
    # site, so it is only looked for here.
    if kind == _APPLICATION and _is_generated(frame.f_code):
        return _FRAMEWORK
    return kind


def _kind(name: object) -> int:
    """What a module is."""
    if type(name) is not str:
        # Code run by ``exec`` with names of its own: the application's doing.
        name = None
    kind = _kinds.get(name)
    if kind is None:
        if len(_kinds) >= LIMIT:
            _kinds.clear()
        kind = _kinds[name] = _APPLICATION if name is None else _judged(name)
    return kind


def _judged(name: str) -> int:
    """What a module is, by its name and those of the packages that it is in."""
    for kind, names in ((_LOOP, LOOPS), (_OURS, OURS), (_FRAMEWORK, FRAMEWORKS)):
        if any(name == each or name.startswith(f"{each}.") for each in names):
            return kind
    return _FRAMEWORK if _is_standard(name) else _APPLICATION


def _is_standard(name: str) -> bool:
    """Whether a module is the standard library's.

    An application may have a module that is called like one of these, ``queue`` say,
    but not at the same place.
    """
    top = name.partition(".")[0]
    module = sys.modules.get(name)
    # No other kind of object is asked, which might be the application's.
    if top not in sys.stdlib_module_names or type(module) is not ModuleType:
        return False
    file = str(_global_of(vars(module), "__file__"))
    return any(
        file.startswith((f"{each}{top}.", f"{each}{top}{os.sep}")) for each in _STANDARD
    )


def _is_generated(code: CodeType) -> bool:
    """Whether code is a method that ``dataclasses`` or attrs made for a class."""
    if code.co_filename != "<string>":
        return code.co_filename.startswith("<attrs generated ")
    if hasattr(code, "co_qualname"):
        return bool(code.co_qualname.startswith("__create_fn__.<locals>."))
    # Python 3.10 tells less: that it is the second line, in a function.
    return (
        code.co_name in _GENERATED
        and code.co_firstlineno == 2
        and bool(code.co_flags & CO_NESTED)
    )


def _site(frame: FrameType) -> Site:
    """The site of a frame, remembered."""
    code, offset = frame.f_code, frame.f_lasti
    if len(_sites) >= LIMIT:
        _sites.clear()
    return _sites.setdefault((id(code), offset), Site(code, offset))


def _line(code: CodeType, offset: int) -> int:
    """The line of an instruction."""
    found = code.co_firstlineno
    for start, line in findlinestarts(code):
        if start > offset:
            break
        # From Python 3.13 on, there are instructions of no line.
        found = line or found
    return found


def _short(path: str) -> str:
    """A file's path from where Python found its package.

    Where ``connmon run`` watches, the program's own files are told as they are seen
    from where it was started: test runners put many a directory in ``sys.path``.
    """
    # Where it was compiled, which need not be where it is.
    packages = ["".join(path.rpartition(each)[:2]) for each in _PACKAGES]
    roots = packages + [_absolute(each) for each in sys.path if isinstance(each, str)]
    if _IN_TREE and path.startswith(_absolute("")) and not any(packages):
        roots = [_absolute("")]
    length = max(len(each) for each in roots if path.startswith(each))
    return path[length:].replace(os.sep, "/")


def _absolute(entry: str) -> str:
    """A directory in which Python looks for packages, with a separator at its end.

    It is not made any simpler, for Python puts it before the names of files as it is.
    """
    if not os.path.isabs(entry):
        entry = os.path.join(_STARTED_IN, "" if entry == os.curdir else entry)
    return entry.rstrip(os.sep) + os.sep


def _ending(text: str, limit: int) -> str:
    """Text of which the end says more than the beginning, at most so long."""
    return text if len(text) <= limit else "..." + text[3 - limit :]


def _working_directory() -> str:
    """Where the process is; somewhere, if that was removed."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


# Asked for once: the reporting thread makes no calls of the system for a path.
_STARTED_IN = _working_directory()

_IN_TREE = in_tree(os.environ)
