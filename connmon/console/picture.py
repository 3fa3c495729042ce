"""One picture of a recording: everything the node knew at a moment, as a line of JSON.

It is an array as a feed's payload is one (``connmon.wire.frames``), with a frame for
each of ``connmon.views.recorded.WHOLE``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from connmon.errors import ProtocolError
from connmon.views.frame import Frame
from connmon.wire.frames import feed_fields, frames_of


def as_line(frames: Sequence[Frame]) -> bytes:
    """Frames of one moment as a line, without its end."""
    fields = feed_fields(frames)
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()


def of_line(line: bytes) -> tuple[Frame, ...]:
    """A line as frames, one at least, or ``ProtocolError``."""
    try:
        fields = _tuples(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a picture that is not JSON ({error})") from None
    frames = frames_of(fields)
    if not frames:
        raise ProtocolError("a picture of nothing")
    return frames


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple([_tuples(each) for each in value])
    return value
