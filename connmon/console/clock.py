"""Moments in local time, also such as a damaged recording may have."""

from __future__ import annotations

import time

TIME = "%H:%M:%S"
DATE_AND_TIME = "%Y-%m-%d %H:%M:%S"


def told(moment: float, form: str = TIME) -> str:
    """A Unix time in a form of ``time.strftime``; its seconds if no calendar has it."""
    try:
        return time.strftime(form, time.localtime(moment))
    except (OverflowError, ValueError, OSError):
        return f"{moment:g}"
