"""What a pool is, and how it was configured, read off the pool itself."""

from __future__ import annotations

from math import inf
from typing import Any

from sqlalchemy.engine import Engine

from connmon.client.host import host_of
from connmon.model.records import PoolFacts


def facts_of(engine: Engine) -> PoolFacts:
    """What an engine's pool is, as far as it tells."""
    pool = engine.pool
    size = getattr(pool, "size", None)
    return PoolFacts(
        name_of(engine),
        type(pool).__name__[:255],
        _whole_number(size() if callable(size) else size),
        _whole_number(getattr(pool, "_max_overflow", None)),
        _seconds(getattr(pool, "_timeout", None)),
        _seconds(getattr(pool, "_recycle", None)),
        bool(getattr(pool, "_pre_ping", False)),
    )


def name_of(engine: Engine) -> str:
    """What to call a pool: by its database, without user, password and options."""
    url, (host, port) = engine.url, host_of(engine)
    host = f"[{host}]" if ":" in host else host
    place = f"{host}:{port}" if port else host
    return f"{url.drivername}://{place}/{url.database or ''}"[:1024]


def _whole_number(value: Any) -> int | None:
    """A bound, if it is one: -1 means that there is none."""
    return value if isinstance(value, int) and value >= 0 else None


def _seconds(value: Any) -> float | None:
    """A duration, if it is one: -1 means never."""
    is_number = isinstance(value, (int, float))
    return float(value) if is_number and 0 <= value < inf else None
