"""Why a link could not be made, or ended, in as few words as it can be said."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import error
from twisted.python.failure import Failure

from connmon.errors import ProtocolError
from connmon.wire.link import refusal

_WORDS: tuple[tuple[Any, str], ...] = (
    (error.DNSLookupError, "unknown host name"),
    (error.TimeoutError, "no connection in time"),
    (error.ConnectionDone, "it closed the link"),
    (error.ConnectionLost, "the link broke"),
)


def in_words(failure: Failure) -> str:
    """Why a link failed or ended, for a log line or a banner."""
    for kind, words in _WORDS:
        if failure.check(kind):
            return words
    why: Any = failure.value
    if type(why) is ProtocolError:  # not one of its children, by which a node refuses
        return f"it broke the protocol: {why}"
    if isinstance(why, error.ConnectError) and isinstance(why.osError, int):
        return os.strerror(why.osError).lower()
    text = refusal(failure).rstrip(".")
    if isinstance(why, error.ConnectError) and isinstance(why.args[0], Failure):
        # So Twisted tells of EAGAIN: a UNIX socket has no room in its queue.
        text = "it accepts no more links"
    return text[:1].lower() + text[1:] if text else type(why).__name__
