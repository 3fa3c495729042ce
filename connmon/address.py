"""Where a node is reached, or listens: a TCP port or a UNIX socket.

HOST, HOST:PORT, [IPv6] and [IPv6]:PORT are of TCP. ``unix:/PATH`` is a socket in the
file system; ``unix:///PATH``, as URLs have it, is the same. A host that is called
"unix" cannot be written with a port.

Abstract names (``unix:@NAME``) are refused: they have neither an owner nor a mode, so
any program could take one before the node does, and no directory keeps others out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from connmon.errors import ConfigError
from connmon.wording import is_word, quoted, shown

DEFAULT_PORT = 5800

_LONGEST_HOST = 255
LONGEST_PATH = 107
"""Bytes that the kernel's ``sockaddr_un`` has room for, beside the NUL at its end."""

_UNIX = "unix:"
_FORMS = "HOST[:PORT] or unix:/PATH"


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP port: a host, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """HOST:PORT, with an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A UNIX socket: the absolute path of its file."""

    path: str

    def __str__(self) -> str:
        """unix:/PATH."""
        return f"{_UNIX}{self.path}"


AnyAddress: TypeAlias = Address | UnixAddress


def parse_address(
    text: str, default_port: int = DEFAULT_PORT, *, allow_zero: bool = False
) -> AnyAddress:
    """The address that is written so.

    Port 0 ("any free one") is taken only with ``allow_zero``. A ``ConfigError`` has
    the mistake and what was expected, but not where: that is the caller's to add.
    """
    if not text:
        raise ConfigError(f"empty address, expected {_FORMS}")
    if not is_word(text):
        raise ConfigError(
            f"whitespace or unprintable text in {quoted(text)}, expected {_FORMS}"
        )
    if text.startswith(_UNIX):
        return UnixAddress(_socket_path(text))
    split = _split_bracketed if text.startswith("[") else _split_plain
    host, port = split(text)
    if port is None:
        return Address(host, default_port)
    return Address(host, _port(port, text, lowest=0 if allow_zero else 1))


# -- UNIX -----------------------------------------------------------------------------


def _socket_path(text: str) -> str:
    """The path of an address that begins with ``unix:``."""
    path = text.removeprefix(_UNIX)
    if path.startswith("///"):
        path = path[2:]
    if path.startswith("@"):
        raise ConfigError(
            f"abstract name {quoted(path)} in {quoted(text)}, "
            "expected unix:/PATH with an absolute path"
        )
    if not path.startswith("/") or path.startswith("//") or path.endswith("/"):
        raise ConfigError(
            f"{quoted(path)} in {quoted(text)} is no absolute path of a file, "
            "expected unix:/PATH with an absolute path"
        )
    _check_length(path)
    return path


def _check_length(path: str) -> None:
    """The kernel takes no longer path, wherever the file is."""
    try:
        size = len(os.fsencode(path))
    except UnicodeEncodeError:
        raise ConfigError(
            f"path {quoted(path)} has letters that file names cannot have here, "
            "expected unix:/PATH"
        ) from None
    if size > LONGEST_PATH:
        raise ConfigError(
            f"path {quoted(path)} has {size} bytes, "
            f"expected unix:/PATH with a path of at most {LONGEST_PATH}"
        )


# -- TCP ------------------------------------------------------------------------------


def _split_bracketed(text: str) -> tuple[str, str | None]:
    """Host and port, if any, of an address that begins with a bracket."""
    host, bracket, rest = text[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")):
        raise ConfigError(f"bad brackets in {quoted(text)}, expected [IPv6][:PORT]")
    if not _accepts(IPv6Address, host):
        raise ConfigError(
            f"bad IPv6 address {quoted(host)} in {quoted(text)}, "
            "expected [IPv6][:PORT], or no brackets around another host"
        )
    return host, rest[1:] if rest else None


def _split_plain(text: str) -> tuple[str, str | None]:
    """Host and port, if any, of an address without brackets."""
    if text.startswith("/"):
        raise ConfigError(f"{quoted(text)} is a path, expected {_UNIX}{shown(text)}")
    if text.count(":") > 1:
        raise ConfigError(_too_many_colons(text))
    host, colon, port = text.partition(":")
    if not host:
        raise ConfigError(f"no host in {quoted(text)}, expected {_FORMS}")
    if not _is_host(host):
        raise ConfigError(
            f"bad host {quoted(host)} in {quoted(text)}, "
            "expected HOST[:PORT] with a hostname or an IP address"
        )
    return host, port if colon else None


def _too_many_colons(text: str) -> str:
    """What to say of several colons: most often it is IPv6 without its brackets."""
    if _accepts(IPv6Address, text):
        return (
            f"{quoted(text)} is an IPv6 address without brackets, "
            f"expected [{shown(text)}] or [IPv6]:PORT"
        )
    return (
        f"too many colons in {quoted(text)}, "
        "expected HOST[:PORT], or [IPv6][:PORT] with the brackets"
    )


def _port(text: str, address: str, lowest: int) -> int:
    """The port ``text`` stands for."""
    # Only ASCII digits, and few: int() also takes "+1", "1_0" and other scripts'.
    if text.isascii() and text.isdigit() and len(text) <= 5:
        port = int(text)
        if lowest <= port <= 65535:
            return port
    raise ConfigError(
        f"bad port {quoted(text)} in {quoted(address)}, "
        f"expected HOST[:PORT] with a port from {lowest} to 65535"
    )


def _is_host(text: str) -> bool:
    """Whether this can be a hostname or an IPv4 address."""
    if len(text) > _LONGEST_HOST:
        return False
    if all(letter in "0123456789." for letter in text):
        # Resolvers also take "5800" or "10.1"; here that is a slip.
        return _accepts(IPv4Address, text)
    if text.startswith("-"):  # no name does (RFC 1123, 2.1); it is an option's slip
        return False
    if not all(letter.isalnum() or letter in "-._" for letter in text):
        return False
    # What a resolver does first; it refuses an empty or overlong label.
    return _accepts(lambda host: host.encode("idna"), text)


def _accepts(reader: Callable[[str], object], text: str) -> bool:
    """Whether ``reader`` takes this text without a ``ValueError`` or a child of it."""
    try:
        reader(text)
    except ValueError:
        return False
    return True
