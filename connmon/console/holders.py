"""Where the holders of connections are now, as it is asked for and written."""

from __future__ import annotations

from typing import Any, NamedTuple

from connmon.console import figures
from connmon.console.cells import harmless, sentence
from connmon.console.text import UNICODE, Glyphs
from connmon.errors import ConnmonError
from connmon.model.records import Identity
from connmon.model.stacks import Found, Stack

_LONGEST_NUMBER = 18
"""Digits of a pid, or of a connection's number."""


class NoStacks(ConnmonError):
    """Nobody could be asked; the text says why."""


class Whose(NamedTuple):
    """Whose connections are meant: a process's, all that are out, or one of them.

    It goes by its token, or else by host and pid.
    """

    process: str | None = None
    hostname: str | None = None
    pid: int | None = None
    connection: int | None = None


def parse(text: str) -> Whose:
    """What ``HOST:PID`` or ``HOST:PID:CONNECTION`` means; or ``ValueError``.

    A host with colons may stand in brackets, and has to if numbers follow one another.
    """
    host, numbers = _bracketed(text) if text.startswith("[") else _parted(text)
    if not host or not 1 <= len(numbers) <= 2 or not all(map(_is_number, numbers)):
        raise ValueError("expected HOST:PID or HOST:PID:CONNECTION")
    pid, *connection = map(int, numbers)
    return Whose(None, host, pid, connection[0] if connection else None)


def _bracketed(text: str) -> tuple[str, list[str]]:
    host, bracket, rest = text[1:].partition("]:")
    return host, rest.split(":") if bracket else []


def _parted(text: str) -> tuple[str, list[str]]:
    """The host, and one or two numbers at the end; an address may end in ``::1``."""
    parts = text.rsplit(":", 2)
    if len(parts) == 3 and parts[0] and parts[0][-1] != ":" and _is_number(parts[1]):
        return parts[0], parts[1:]
    host, colon, pid = text.rpartition(":")
    # Only an address has colons, and then two at least.
    return host, [pid] if colon and host.count(":") != 1 else []


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def lacking(found: tuple[Found, ...], whose: Whose, glyphs: Glyphs = UNICODE) -> str:
    """Why there is no stack to be shown, in one line; empty if there is one."""
    if not found:
        return f"no process {_asked(whose, glyphs)} is known"
    if len(found) > 1:
        named = ", ".join(
            f"{harmless(who.process, glyphs)} ({harmless(who.program, glyphs)})"
            for who in (each.identity for each in found)
        )
        return f"{len(found)} processes are {_asked(whose, glyphs)}: {named}"
    told = found[0].told
    if told.stacks:
        return ""
    who = named_process(found[0].identity, glyphs)
    if told.why:
        return f"{who}: {sentence(told.why, glyphs)}"
    if whose.connection is None:
        return f"{who}: it has no connection out"
    return f"{who}: connection {whose.connection} is not out"


def _asked(whose: Whose, glyphs: Glyphs) -> str:
    if whose.process is not None:
        return harmless(whose.process, glyphs)
    return f"{whose.pid} at {harmless(whose.hostname, glyphs)}"


def named_process(who: Identity, glyphs: Glyphs = UNICODE) -> str:
    """A process as it is named over its stacks."""
    return (
        f"{harmless(who.hostname, glyphs)} {harmless(who.program, glyphs)}[{who.pid}]"
    )


def lines(found: Found, glyphs: Glyphs = UNICODE) -> list[str]:
    """The stacks of a process to be read by people, all of it harmless."""
    told = found.told
    said = [named_process(found.identity, glyphs)]
    if len(told.stacks) < told.held:
        said[0] += f"  {len(told.stacks)} of {figures.count(told.held)} that are out"
    for each in told.stacks:
        said += ["", *_stack(each, glyphs)]
    return said


def _stack(stack: Stack, glyphs: Glyphs) -> list[str]:
    """One connection, and where its holder is."""
    words = [
        f"connection {stack.connection}",
        f"out for {figures.duration(stack.seconds)}",
        harmless(stack.owner, glyphs),
        "" if stack.session is None else f"session {stack.session}",
        sentence(stack.pool, glyphs),
        stack.tag and f"tag {harmless(stack.tag, glyphs)}",
    ]
    said = ["  " + "  ".join(filter(None, words))]
    if stack.site:
        said.append(f"    checked out at {sentence(stack.site, glyphs)}")
    if stack.frames:
        said.append("    now at, the most recent call last:")
        said += [f"      {sentence(each, glyphs)}" for each in stack.frames]
    if stack.note:
        said.append(f"    {sentence(stack.note, glyphs)}")
    return said


def objects(found: Found) -> list[dict[str, Any]]:
    """The same for JSON: an object for each connection, its stack a list of texts."""
    who = found.identity
    return [
        {
            "hostname": who.hostname,
            "progname": who.program,
            "pid": who.pid,
            "process": who.process,
            "node": found.node,
            "pool_name": each.pool or None,
            "connection": each.connection,
            "server_session": each.session,
            "out_seconds": round(each.seconds, 3),
            "owner": each.owner or None,
            "tag": each.tag or None,
            "site": each.site or None,
            "stack": list(each.frames),
            "note": each.note or None,
        }
        for each in found.told.stacks
    ]
