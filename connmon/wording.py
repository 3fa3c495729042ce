"""How a message shows what somebody wrote: on one line, harmless, and not endless."""

from __future__ import annotations


def is_word(text: str) -> bool:
    """Whether text is printable and has no whitespace."""
    return text.isprintable() and " " not in text


def printable(text: str) -> str:
    """Text made fit for one line, and harmless to a terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


def shown(text: str) -> str:
    """Text as a message shows it bare."""
    return printable(_cut(text))


def quoted(text: str) -> str:
    """Text as a message quotes it."""
    return repr(_cut(text))


def _cut(text: str) -> str:
    """Text no longer than a message can bear."""
    return text if len(text) <= 60 else text[:57] + "..."
