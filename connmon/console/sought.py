"""What a session is looked for by: the server's id of it, or its client's address.

An address is written in many ways, and each of them is understood::

    10.0.0.5:53211      a process list of MariaDB, HAProxy, ss, netstat
    [fd00::5]:53211     ss, PgBouncer
    fd00::5:53211       a process list, netstat: the port is after the last colon
    10.0.0.5(53211)     a log of PostgreSQL
    10.0.0.5.53211      tcpdump, netstat of the BSDs
    app1.prod:53211     a process list, where the server has looked the name up
    :53211              nothing but the port

What applications report is numeric, and names are not looked up, for here they may mean
something else than at the server: of a name only the port is compared.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connmon.errors import QueryError
from connmon.views.query import Query
from connmon.views.schema import CONNECTIONS
from connmon.wording import quoted

_LARGEST = 2**63 - 1
_EXPECTED = (
    "expected a session id such as 48197, "
    "or an address with a port such as 10.0.0.5:53211, [fd00::5]:53211 or :53211"
)

_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]+)\]:(?P<port>\d+)")
_IN_A_LOG = re.compile(r"(?P<host>[^()]+)\((?P<port>\d+)\)")
_AFTER_COLON = re.compile(r"(?P<host>.*):(?P<port>\d+)")
_AFTER_DOT = re.compile(r"(?P<host>.+)\.(?P<port>\d+)")
_FORMS = (_BRACKETED, _IN_A_LOG, _AFTER_COLON)

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class Sought:
    """One session that is looked for; ``text`` is how it was asked for.

    It is known by its ``session`` id, or by its client's ``address``, or by no more
    than the ``port`` of that, be it for lack of a host or because that is a name.
    """

    text: str
    session: int | None = None
    address: str = ""
    port: int = 0
    name: str = ""

    @property
    def by(self) -> str:
        """What it is known by: ``session``, ``address`` or ``port``."""
        if self.session is not None:
            return "session"
        return "address" if self.address else "port"

    def query(self) -> Query:
        """What to ask a node; of a port there may be more than those that ``fit``."""
        if self.session is not None:
            return Query(CONNECTIONS, scope=(("server_session", self.session),))
        if self.address:
            return Query(CONNECTIONS, scope=(("address", self.address),))
        return Query(CONNECTIONS, where=(f'address:":{self.port}"',))

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Whether a row that was answered is what is looked for."""
        if self.by != "port":
            return True
        return str(values.get("address")).rpartition(":")[2] == str(self.port)


def parse(text: str) -> Sought:
    """What is looked for by this. Raises ``QueryError`` for what is neither."""
    if text.isascii() and text.isdigit():
        return Sought(text, session=_session(text))
    host, port = _split(text)
    number = _port(port, text)
    # What follows is an interface, by a name that only that host has for it.
    host = host.partition("%")[0]
    numeric = _numeric(host)
    if numeric:
        written = f"[{numeric}]" if ":" in numeric else numeric
        return Sought(text, address=f"{written}:{number}")
    if host and (text.startswith("[") or not _is_name(host)):
        raise QueryError(f"bad host {quoted(host)} in {quoted(text)}, {_EXPECTED}")
    return Sought(text, port=number, name=host)


def _session(text: str) -> int:
    # Few digits first: int() takes long over very many.
    number = int(text) if len(text) <= len(str(_LARGEST)) else 0
    if not 1 <= number <= _LARGEST:
        raise QueryError(f"{quoted(text)} is no session id, {_EXPECTED}")
    return number


def _split(text: str) -> tuple[str, str]:
    """Host and port, as they are written."""
    found = _AFTER_DOT.fullmatch(text)
    if found is not None and _numeric(found["host"]):
        return found["host"], found["port"]
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return found["host"], found["port"]
    raise QueryError(f"{quoted(text)} is neither id nor address, {_EXPECTED}")


def _port(text: str, whole: str) -> int:
    if text.isascii() and len(text) <= 5 and 1 <= int(text) <= 65535:
        return int(text)
    raise QueryError(f"bad port {quoted(text)} in {quoted(whole)}, {_EXPECTED}")


def _numeric(host: str) -> str:
    """An address as sockets name it, and IPv4 within IPv6 as IPv4; empty if it is none.

    It is the C library that names sockets; Python's own writes a few otherwise.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            packed = socket.inet_pton(family, host)
        except (OSError, ValueError):  # ValueError: a NUL, or no ASCII
            continue
        found = socket.inet_ntop(family, packed)
        return found.removeprefix("::ffff:") if "." in found else found
    return ""


def _is_name(host: str) -> bool:
    """Whether this can be a host's name: no address that went wrong is one."""
    return (
        len(host) <= 255
        and not re.fullmatch(r"[\d.]+", host)
        and bool(_NAME.fullmatch(host))
    )
