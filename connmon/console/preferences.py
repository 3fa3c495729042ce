"""The file that keeps a viewer's choices from one session to the next.

It is ``connmon/console.json`` in ``$XDG_CONFIG_HOME``, or in ``~/.config`` where that
is no absolute path. It holds a JSON object with the fields of ``Choices``, any of which
may be left out, and ``version``, which is 1. What cannot be used is a warning, whatever
the content, and never an error.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from connmon.console.choices import Choices
from connmon.errors import ConfigError
from connmon.views.schema import VIEWS, View
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS
from connmon.wording import printable, quoted

THEMES = ("auto", "many", "sixteen", "mono")

_VERSION = 1
_LARGEST_FILE = 64 * 1024
_LONGEST_SET = 64
"""Characters of the name of a set of columns."""
_LARGEST_SAID = 10**18
"""Of a larger number a message does not show the digits."""


def path(environ: Mapping[str, str]) -> str | None:
    """Where the file is or would be; ``None`` where there is no home directory."""
    config = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(config):
        home = environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        config = os.path.join(home, ".config")
    return os.path.join(config, "connmon", "console.json")


def load(environ: Mapping[str, str]) -> tuple[Choices, tuple[str, ...]]:
    """The choices that are kept, and a warning for each thing that cannot be used.

    A warning is one line with the file, the key and what was expected; the key has its
    default then. That there is no file is no reason for one.
    """
    file = path(environ)
    if file is None:
        return Choices(), ()
    try:
        content = _parsed(_content(file))
    except FileNotFoundError:
        return Choices(), ()
    except ConfigError as error:
        return Choices(), (f"{printable(file)}: {error}",)
    except (OSError, ValueError) as error:
        # ValueError: a path with a NUL, or one that the file system cannot encode.
        return Choices(), (f"cannot read {printable(file)}: {_reason(error)}",)
    choices, wrong = _understood(content)
    return choices, tuple(f"{printable(file)}: {each}" for each in wrong)


def save(choices: Choices, environ: Mapping[str, str]) -> str:
    """Keep the choices, whole or not at all; the path of the file.

    Directories that are missing are made. A symbolic link is followed, not replaced.
    ``ConfigError`` says, on one line, which file cannot be written, and why.
    """
    file = path(environ)
    if file is None:
        raise ConfigError(
            "cannot write console.json: no home directory, "
            "expected an absolute path in HOME or XDG_CONFIG_HOME"
        )
    kept = {"version": _VERSION, **asdict(choices)}
    kept["sorts"] = {view: _written(each) for view, each in choices.sorts.items()}
    text = json.dumps(kept, indent=2) + "\n"
    try:
        _put(text.encode("ascii"), os.path.realpath(file))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot write {printable(file)}: {_reason(error)}"
        ) from error
    return file


# -- the file -------------------------------------------------------------------------


def _content(file: str) -> bytes:
    """The bytes of the file; ``ConfigError`` if it is none, or too large."""
    # Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(file, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError("expected a regular file")
        with open(descriptor, "rb", closefd=False) as opened:
            content = opened.read(_LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST_FILE:
        raise ConfigError(f"expected at most {_LARGEST_FILE} bytes")
    return content


def _put(content: bytes, file: str) -> None:
    """Write the file, which is no link, by way of another one beside it."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(file).st_mode):
            raise ValueError("not a regular file")
    directory = os.path.dirname(file)
    _make(directory)
    descriptor, draft = tempfile.mkstemp(prefix=".console-", dir=directory)
    try:
        with open(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        os.replace(draft, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def _make(directory: str) -> None:
    """Make a directory, and those above it that are missing, for their owner only."""
    missing = []
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for each in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(each, 0o700)


def _reason(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error))


# -- its content ----------------------------------------------------------------------


def _parsed(content: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"line {line}: expected UTF-8") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"line {error.lineno}: expected JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        # ValueError: a number of more digits than Python converts.
        raise ConfigError("expected JSON as the console writes it") from error
    if not isinstance(parsed, dict):
        raise ConfigError(f"expected a JSON object, not {_said(parsed)}")
    return parsed


def _understood(content: Mapping[str, object]) -> tuple[Choices, list[str]]:
    """What can be used, and what is wrong with the rest."""
    kept: dict[str, Any] = {}
    wrong: list[str] = []
    for key, value in content.items():
        try:
            if key in _TABLES:
                kept[key] = _entries(key, value, wrong)
            elif key in _RULES:
                kept[key] = _RULES[key](value)
            else:
                wrong.append(f"unknown key {quoted(key)}, expected {_KEYS}")
        except ConfigError as error:
            wrong.append(f"{key}: {error}")
    kept.pop("version", None)
    return replace(Choices(), **kept), wrong


def _entries(key: str, value: object, wrong: list[str]) -> dict[str, str]:
    """What can be used of an object that has something for each of several views."""
    if not isinstance(value, dict):
        raise ConfigError(f"expected an object with views as keys, not {_said(value)}")
    kept = {}
    for name, entry in value.items():
        try:
            if name not in VIEWS:
                raise ConfigError(f"unknown view, expected one of {', '.join(VIEWS)}")
            kept[name] = _TABLES[key](VIEWS[name], entry)
        except ConfigError as error:
            wrong.append(f"{key}: {quoted(name)}: {error}")
    return kept


def _sort(view: View, value: object) -> str:
    """The order of a view, as ``-o`` has it: a field, with ``+`` or ``-`` before it."""
    if isinstance(value, str):
        sign = value[:1] if value[:1] in ("+", "-") else ""
        field = view.field(value.removeprefix(sign))
        if field:
            return field.order(sign)
    raise ConfigError(
        f"expected a field of {view.name}, or one after '+' or '-', not {_said(value)}"
    )


def _written(order: str) -> str:
    """An order as ``-o`` has it, whatever the kind of the field."""
    return f"+{order[1:]}" if order.startswith("-") else f"-{order}"


def _set(_view: View, value: object) -> str:
    """The name of a set of columns; which there are is the screen's business."""
    if (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_SET
        and value.isprintable()
    ):
        return value
    raise ConfigError(f"expected the name of a set of columns, not {_said(value)}")


def _version(value: object) -> int:
    if type(value) is int and value == _VERSION:
        return value
    raise ConfigError(f"expected {_VERSION}, not {_said(value)}")


def _delay(value: object) -> float:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and MIN_FEED_SECONDS <= value <= MAX_FEED_SECONDS
    ):
        return float(value)
    raise ConfigError(
        f"expected seconds from {MIN_FEED_SECONDS:g} to {MAX_FEED_SECONDS:g}, "
        f"not {_said(value)}"
    )


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(f"expected true or false, not {_said(value)}")


def _one_of(known: tuple[str, ...]) -> Callable[[object], str]:
    """The rule that a value is one of these."""

    def rule(value: object) -> str:
        if isinstance(value, str) and value in known:
            return value
        raise ConfigError(f"expected one of {', '.join(known)}, not {_said(value)}")

    return rule


_TABLES: dict[str, Callable[[View, object], str]] = {"sorts": _sort, "sets": _set}

_RULES: dict[str, Callable[[object], object]] = {
    "version": _version,
    "view": _one_of(tuple(VIEWS)),
    "delay": _delay,
    "alerts_first": _flag,
    "busy": _flag,
    "tree": _flag,
    "exact": _flag,
    "short_names": _flag,
    "theme": _one_of(THEMES),
}

_KEYS = "one of " + ", ".join([*_RULES, *_TABLES])


def _said(value: object) -> str:
    """A value of a JSON document, as a message shows it: short, and on one line."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, int) and not -_LARGEST_SAID <= value <= _LARGEST_SAID:
        return "a whole number of many digits"
    return json.dumps(value)
