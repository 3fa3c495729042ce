"""Which host and port a pool's connections go to.

That is in the URL, or in the ``connect_args`` of ``create_engine``, which go before it.
SQLAlchemy keeps these only in what it makes the pool's creator: a function of its own,
with both in one dictionary. What an application gives as ``creator`` tells nothing, nor
does what it does in listeners of ``do_connect``. Asked once, as an engine is attached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.engine import create as sqlalchemys

from connmon.model.servers import PORTS

_HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%\w+)?")
"""A name or an address. No list of them, no path of a socket, none with a port."""

_HIGHEST = 65535


def host_of(engine: Engine) -> tuple[str, int | None]:
    """Host and port, the host empty if it is not known."""
    url = engine.url
    if engine.dialect.name in PORTS:
        given = _given(engine.pool)
        host = given.get("host")
        # Who gives a socket gives the host to no end.
        if isinstance(host, str) and _HOST.fullmatch(host) and not _socket(given):
            return host, _port(given.get("port")) or url.port
    return url.host or "", url.port


def _given(pool: Any) -> Mapping[str, Any]:
    """What SQLAlchemy gives the driver; nothing if it is not SQLAlchemy who does."""
    creator = getattr(pool, "_creator", None)
    if getattr(creator, "__module__", None) != sqlalchemys.__name__:
        return {}
    names = getattr(getattr(creator, "__code__", None), "co_freevars", ())
    cells = getattr(creator, "__closure__", None) or ()
    for name, cell in zip(names, cells, strict=False):
        if name == "cparams" and isinstance(cell.cell_contents, Mapping):
            given: Mapping[str, Any] = cell.cell_contents
            return given
    return {}


def _socket(given: Mapping[str, Any]) -> bool:
    """Whether a UNIX socket is given."""
    return any(given.get(name) for name in ("unix_socket", "unix_sock"))


def _port(value: Any) -> int | None:
    """A port, if it is one: some drivers take it as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:6])
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value <= _HIGHEST else None
