"""What the reporting thread has to say to the application's log.

It says it at once, but where gevent or eventlet have patched the program: there logging
waits in locks that only greenlets can share. A real thread that has to wait for one may
hang for ever, and with eventlet the whole program's logging with it. What is to be said
there is kept until a thread of the application comes by.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress

from connmon.client import native

_log = logging.getLogger("connmon")

#: What waits for a thread of the application: level, text and arguments.
_WAITING: deque[tuple[int, str, tuple[object, ...]]] = deque(maxlen=20)


def info(text: str, *args: object) -> None:
    """Say what is good to know. Reporting thread."""
    _say(logging.INFO, text, args)


def warning(text: str, *args: object) -> None:
    """Say what is wrong. Reporting thread."""
    _say(logging.WARNING, text, args)


def pass_on() -> None:
    """Say what was kept. Threads of the application only."""
    with suppress(IndexError):
        while _WAITING:
            level, text, args = _WAITING.popleft()
            _log.log(level, text, *args)


def _say(level: int, text: str, args: tuple[object, ...]) -> None:
    if native.is_patched():
        _WAITING.append((level, text, args))
    else:
        _log.log(level, text, *args)
