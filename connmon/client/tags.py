"""What an application calls its work: ``with connmon.tag("import-job"): ...``.

A checkout within is labelled so, in the thread, greenlet or task that is in it and in
the tasks it starts. Where no tag was ever used, checkouts do not even look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

LONGEST = 255
"""Characters of a tag that are kept."""

CURRENT: ContextVar[str] = ContextVar("connmon_tag", default="")
"""The tag that holds now, empty for none."""

USED: list[bool] = []
"""Not empty once there was a tag in this process."""


@contextmanager
def tag(name: str) -> Iterator[None]:
    """Label the checkouts within; the inner of two tags holds.

    Raises ``TypeError`` for what is no text, and ``ValueError`` for what cannot be
    printed on a line.
    """
    if not isinstance(name, str):
        raise TypeError(f"connmon.tag: expected a str, not {type(name).__name__}")
    if not name.isprintable():
        raise ValueError(f"connmon.tag: expected printable text, not {name[:50]!r}")
    if not USED:
        USED.append(True)
    before = CURRENT.set(name[:LONGEST])
    try:
        yield
    finally:
        # If it is left in another context than it was entered in, as a generator may be
        # that a framework drives, nothing is to be undone there.
        with suppress(ValueError):
            CURRENT.reset(before)
