"""Exceptions that are not ours, though they were raised in the middle of us.

Such is what a signal handler of the application raises, or one thread throws into
another, and whatever comes of a callable whose place we took. They go their way,
whatever we were doing, and their tracebacks do not show that they met us.
"""

from __future__ import annotations

import signal

_ORIGINS = {
    "builtins",
    "connmon",
    "crochet",
    "msgpack",
    "sqlalchemy",
    "twisted",
    "zope",
}
"""Where our own faults may come from; an exception of any other origin is not ours."""


def unseen(error: BaseException) -> None:
    """Leave our frames out of a traceback, those by which an exception came to us.

    To be called where it was caught, just before a ``raise`` that adds no frame. Python
    3.10 and PyPy restore what was left out.
    """
    trace = error.__traceback__
    while trace is not None and str(
        trace.tb_frame.f_globals.get("__name__")
    ).startswith("connmon.client."):
        trace = trace.tb_next
    error.__traceback__ = trace


def is_foreign(error: Exception) -> bool:
    """Whether an exception is one of the application's that only passed through us."""
    origin = type(error).__module__.partition(".")[0]
    return origin not in _ORIGINS or is_handlers(error)


def is_handlers(error: Exception) -> bool:
    """Whether a signal handler raised an exception, of whatever type.

    To be asked where it was caught, in a module that has no signal handler.
    """
    trace = error.__traceback__
    own = None if trace is None else trace.tb_frame.f_globals
    codes = set()
    while trace is not None:
        if trace.tb_frame.f_globals is not own:
            codes.add(trace.tb_frame.f_code)
        trace = trace.tb_next
    # Often something is missing where it was looked for, and that is all: to ask for
    # the handlers takes far longer.
    return bool(codes) and any(
        getattr(signal.getsignal(each), "__code__", None) in codes
        for each in signal.valid_signals()
    )
