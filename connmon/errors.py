"""The errors connmon raises, by who has to act on them."""

from __future__ import annotations


class ConnmonError(Exception):
    """Anything connmon itself reports; its text is fit to show a user."""


class ConfigError(ConnmonError):
    """The operator's mistake: a bad file, option, URL or name.

    The text says where (file, section, key, line or option) and what was expected.
    """


class ProtocolError(ConnmonError):
    """The other side's mistake: bytes, shapes or an order the protocol does not allow.

    The link it came from is dropped with one log line; nothing else suffers.
    """


class OutOfTurn(ConnmonError):
    """Our own mistake: a rule was told of something that cannot happen in its state."""


class QueryError(ConnmonError):
    """The viewer's mistake: a filter, field or view that cannot be asked for.

    The text names the piece and says what was expected.
    """
