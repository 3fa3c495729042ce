"""The protocol, as it is spoken: AMP boxes over TCP (port 5800) or a UNIX socket.

This module is the specification. A *link* is one connection. Who opened it is one
of three roles; who accepted it is a node.

The conversation::

    any role -> node   Hello       first, within GREETING_SECONDS; once
    client   -> node   Register    once, after Hello
    client   -> node   Report      any number, after Register, one unanswered at most
    console  -> node   Subscribe   after Hello; again to change the view or the pace
    node  -> console   Feed        after Subscribe, one unanswered at most
    peer    <-> node   Digest, Versions, Records, Delta, Alive
                                   after Hello, both ways; not spoken by this version,
                                   which refuses the role of a peer

Versions. Each side names the highest protocol version it speaks and the oldest it still
understands; the node answers with the highest both know, and that one is spoken from
then on. No common one: the node answers ``VersionRefused`` and closes the link. Within
a version, box keys and trailing payload fields may be added, never changed: a reader
ignores those it does not know.

Limits. A box may hold ``GREETING_LIMIT`` bytes before ``Hello`` is answered and
``BOX_LIMIT`` after. A link whose client says nothing for ``SILENCE_SECONDS`` is closed:
clients report at least every ``HEARTBEAT_SECONDS``, changed or not. An answer that is
overdue for ``ANSWER_SECONDS`` means that the node is lost.

Mistakes. An unknown command, a missing or malformed argument, an oversized box, a
command out of order or not of one's role: the link is closed, with one log line where
it was noticed, and nothing else suffers. Where there is a question to answer, the error
``PROTOCOL`` with a text goes out first.

Times. No wall clock crosses the wire, only durations and readings of the process's own
monotonic clock (see ``connmon.model.records``). What payloads hold is specified in
``connmon.wire.reports`` and ``connmon.wire.frames``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from connmon.errors import ProtocolError
from connmon.wire.arguments import Payload, Text
from connmon.wire.without_tls import amp

VERSION = 1
OLDEST_VERSION = 1

CLIENT = "client"
CONSOLE = "console"
PEER = "peer"

GREETING_LIMIT = 16 * 1024
BOX_LIMIT = 16 * 1024 * 1024

GREETING_SECONDS = 10.0
ANSWER_SECONDS = 5.0
HEARTBEAT_SECONDS = 30.0
SILENCE_SECONDS = 75.0

#: Characters of a host, program, service or node name; the sender cuts longer ones.
NAME_LIMIT = 255
#: Characters of other short texts: software versions, addresses, reasons.
TEXT_LIMIT = 1024

#: The shortest time between two frames that a console may ask for, in seconds.
MIN_FEED_SECONDS = 0.1
#: The longest, likewise.
MAX_FEED_SECONDS = 3600.0

PROGRAMS = "programs"
VIEWS = (PROGRAMS,)


class VersionRefused(ProtocolError):
    """The two sides have no protocol version in common."""


class ServiceRefused(ProtocolError):
    """The node is of another service than the one that was asked for."""


class RoleRefused(ProtocolError):
    """The node does not serve links of that role."""


class Superseded(ProtocolError):
    """A newer registration of the same process is known already."""


class Seconds(amp.Float):
    """A duration: a finite number of seconds, not negative."""

    def fromString(self, inString: bytes) -> float:  # type: ignore[override]
        """Bytes off the wire to a number, or ``ProtocolError``."""
        value = float(inString)
        if not 0.0 <= value < 1e9:
            raise ProtocolError(f"a duration of {value!r} seconds")
        return value


class Count(amp.Integer):
    """A whole number from 0 to 2**63 - 1."""

    def fromString(self, inString: bytes) -> int:  # type: ignore[override]
        """Bytes off the wire to a number, or ``ProtocolError``."""
        if len(inString) > 19 or not inString.isdigit():
            raise ProtocolError("a number that is none, or out of range")
        return int(inString)


class Command(amp.Command):
    """What all our commands share: malformed boxes become ``ProtocolError``."""

    @classmethod
    def parseArguments(cls, box: amp.AmpBox, protocol: Any) -> dict[str, Any]:
        """The arguments of a question that came in."""
        return _parsed(cls, super().parseArguments, box, protocol)

    @classmethod
    def parseResponse(cls, box: amp.AmpBox, protocol: Any) -> dict[str, Any]:
        """The content of an answer that came in."""
        return _parsed(cls, super().parseResponse, box, protocol)


def _parsed(cls: type, parse: Any, box: amp.AmpBox, protocol: Any) -> dict[str, Any]:
    """Parse, naming the command in whatever goes wrong."""
    try:
        parsed: dict[str, Any] = parse(box, protocol)
    except ProtocolError as error:
        raise ProtocolError(f"{cls.__name__}: {error}") from None
    except KeyError as error:
        raise ProtocolError(f"{cls.__name__}: no argument {error}") from None
    except Exception as error:  # noqa: BLE001  whatever a stranger's bytes lead to
        raise ProtocolError(f"{cls.__name__}: {type(error).__name__}") from None
    return parsed


class Hello(Command):
    """The first question on every link, and what each side is.

    ``service`` is the service that the opener wants, empty for whichever this node is
    of. ``software`` is the connmon version, for people. The answer names the version
    spoken from now on, the node's service and name, and its incarnation: a random token
    made when the daemon started.
    """

    arguments: ClassVar[Any] = [
        (b"version", Count()),
        (b"oldest", Count()),
        (b"role", Text(16)),
        (b"service", Text(NAME_LIMIT)),
        (b"software", Text(TEXT_LIMIT)),
    ]
    response: ClassVar[Any] = [
        (b"version", Count()),
        (b"service", Text(NAME_LIMIT)),
        (b"node", Text(NAME_LIMIT)),
        (b"incarnation", Text(NAME_LIMIT)),
        (b"software", Text(TEXT_LIMIT)),
    ]
    fatalErrors: ClassVar[Any] = {
        VersionRefused: b"VERSION",
        ServiceRefused: b"SERVICE",
        RoleRefused: b"ROLE",
    }


class Register(Command):
    """A client says which process it is; its first report must be whole.

    ``process`` is the process's random token. A process numbers its registrations
    upwards, over all nodes: one that is not newer than what the node knows is answered
    by ``Superseded``, and the link is closed. ``interval`` is how many seconds to leave
    between two reports; a busy node answers with more.
    """

    arguments: ClassVar[Any] = [
        (b"process", Text(64)),
        (b"hostname", Text(NAME_LIMIT)),
        (b"program", Text(NAME_LIMIT)),
        (b"pid", Count()),
        (b"registration", Count()),
    ]
    response: ClassVar[Any] = [(b"interval", Seconds())]
    fatalErrors: ClassVar[Any] = {Superseded: b"SUPERSEDED"}


class Report(Command):
    """A client says what changed since its last report, or everything.

    The next one leaves only after this one's answer, and not before ``interval``
    seconds. ``whole`` asks for everything with the next, because this one built on a
    report the node does not hold; nothing of it was taken then.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = [(b"whole", amp.Boolean()), (b"interval", Seconds())]


class Subscribe(Command):
    """A console asks for a view, a frame at once and then one every ``interval``.

    ``interval`` is held within ``MIN_FEED_SECONDS`` and ``MAX_FEED_SECONDS``. A console
    that is slow to answer gets fewer frames, always of the newest state.
    """

    arguments: ClassVar[Any] = [(b"view", Text(64)), (b"interval", Seconds())]
    response: ClassVar[Any] = []


class Feed(Command):
    """A node shows a console one frame of the view it subscribed to."""

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []


class Digest(Command):
    """A peer says, for each home it knows, how many records it has and their hash.

    A home is (node name, incarnation). Sent on meeting and every few seconds; the
    answer names the homes for which the other side has something else.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = [(b"differing", Payload())]


class Versions(Command):
    """A peer lists process token and version for each record of one home.

    The answer lists the tokens whose records the other side lacks or has older.
    """

    arguments: ClassVar[Any] = [
        (b"node", Text(NAME_LIMIT)),
        (b"incarnation", Text(NAME_LIMIT)),
        (b"payload", Payload()),
    ]
    response: ClassVar[Any] = [(b"wanted", Payload())]


class Records(Command):
    """A peer hands over whole records, each with its version, its home and its age.

    Merging is free of order: the highest version wins, and gone wins over live at the
    same version. Nothing is passed on because it was received here.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []


class Delta(Command):
    """A peer passes on one report of a process linked to it, with the base it needs.

    ``wanted`` answers that the base is not held, and that the record is wanted whole.
    """

    arguments: ClassVar[Any] = [
        (b"process", Text(64)),
        (b"registration", Count()),
        (b"payload", Payload()),
    ]
    response: ClassVar[Any] = [(b"wanted", amp.Boolean())]


class Alive(Command):
    """A peer's heartbeat, once a second: how long ago it heard of each incarnation."""

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []
