"""What a pool is, as an array.

::

    facts       [name, kind, size | nil, max_overflow | nil, timeout | nil,
                 recycle | nil, pre_ping, limit | nil]

Older processes do not say the last.
"""

from __future__ import annotations

from typing import Any

from connmon.model.records import PoolFacts
from connmon.wire.commands import NAME_LIMIT, TEXT_LIMIT
from connmon.wire.fields import array, flag, optional_count, optional_number, text


def decode_facts(value: Any) -> PoolFacts:
    """Facts as they stand in an array, or ``ProtocolError``."""
    fields = array(value, 7)
    return PoolFacts(
        text(fields[0], TEXT_LIMIT),
        text(fields[1], NAME_LIMIT),
        optional_count(fields[2]),
        optional_count(fields[3]),
        optional_number(fields[4]),
        optional_number(fields[5]),
        flag(fields[6]),
        optional_count(fields[7]) if len(fields) > 7 else None,
    )
