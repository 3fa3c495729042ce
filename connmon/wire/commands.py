"""The protocol, as it is spoken: AMP boxes over TCP (port 5800) or a UNIX socket.

This module is the specification. A *link* is one connection. Who opened it is one
of three roles; who accepted it is a node.

The conversation::

    any role -> node   Hello       first, within GREETING_SECONDS; once
    client   -> node   Register    once, after Hello
    client   -> node   Report      any number, after Register, one unanswered at most
    console  -> node   Subscribe   after Hello; again to change the queries or the pace
    node  -> console   Feed        after Subscribe, one unanswered at most
    peer     -> node   Alive, Digest, Versions, Records, Deltas, Sums, Remarks
                                   after Hello, any number, in any order
    console, peer -> node, and node -> client
                       Stack       only if the other side said that it knows it

Peers. Each node opens a link to each other one, and tells it over that link what it
has; it is told over the other's. It sends ``Alive`` every second, and ``Digest`` every
two, which speaks of all that was sent before it. For each home that differs follow
``Versions``, and then ``Records`` of what is wanted; for maxima that differ, ``Sums``;
for the journal, ``Remarks``. ``Deltas`` are changes as they happen. A peer that is
silent for ``PEER_SILENCE_SECONDS`` has its link closed.

Versions. Each side names the highest protocol version it speaks and the oldest it still
understands; the node answers with the highest both know, and that one is spoken from
then on. No common one: the node answers ``VersionRefused`` and closes the link. Within
a version, box keys and trailing payload fields may be added, never changed: a reader
ignores those it does not know. What the oldest is depends on the role, see ``OLDEST``.

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
``connmon.wire.reports``, ``exchange``, ``queries`` and ``frames``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from connmon.errors import ProtocolError, QueryError
from connmon.wire.arguments import Payload, Text
from connmon.wire.without_tls import amp

VERSION = 2
OLDEST_VERSION = 1

CLIENT = "client"
CONSOLE = "console"
PEER = "peer"

#: The oldest version that is spoken with each role: to consoles, ``Subscribe`` and
#: ``Feed`` are something else since version 2.
OLDEST = {CLIENT: OLDEST_VERSION, CONSOLE: 2, PEER: OLDEST_VERSION}

GREETING_LIMIT = 16 * 1024
BOX_LIMIT = 16 * 1024 * 1024

GREETING_SECONDS = 10.0
ANSWER_SECONDS = 4.0
HEARTBEAT_SECONDS = 30.0
SILENCE_SECONDS = 75.0
PEER_SILENCE_SECONDS = 4.0

STACK_SECONDS = 2.0
"""How long a node waits for a process to say where it is."""

RELAY_SECONDS = 3.0
"""How long one waits for another node, which asks a process."""

#: Characters of a host, program, service or node name; the sender cuts longer ones.
NAME_LIMIT = 255
#: Characters of a process's token.
PROCESS_LIMIT = 64
#: Characters of a node list, as nodes show it each other.
LIST_LIMIT = 8192
#: Characters of other short texts: software versions, addresses, reasons.
TEXT_LIMIT = 1024

#: The shortest time between two frames that a console may ask for, in seconds.
MIN_FEED_SECONDS = 0.1
#: The longest, likewise.
MAX_FEED_SECONDS = 3600.0


class VersionRefused(ProtocolError):
    """The two sides have no protocol version in common."""


class ServiceRefused(ProtocolError):
    """The node is of another service than the one that was asked for."""


class RoleRefused(ProtocolError):
    """The node does not serve links of that role."""


class NodeRefused(ProtocolError):
    """The peer's name is that of the node itself."""


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

    A peer also says its own ``node`` and ``incarnation``. Both sides say their
    ``settings``: the nodes they were configured with, a line each (name and address) in
    the order of the names, and at last ``stale_after SECONDS``; whoever has others
    remarks on it.

    ``stacks`` tells consoles and peers that the node knows ``Stack``; what is not said
    is false.
    """

    arguments: ClassVar[Any] = [
        (b"version", Count()),
        (b"oldest", Count()),
        (b"role", Text(16)),
        (b"service", Text(NAME_LIMIT)),
        (b"software", Text(TEXT_LIMIT)),
        (b"node", Text(NAME_LIMIT, optional=True)),
        (b"incarnation", Text(NAME_LIMIT, optional=True)),
        (b"settings", Text(LIST_LIMIT, optional=True)),
    ]
    response: ClassVar[Any] = [
        (b"version", Count()),
        (b"service", Text(NAME_LIMIT)),
        (b"node", Text(NAME_LIMIT)),
        (b"incarnation", Text(NAME_LIMIT)),
        (b"software", Text(TEXT_LIMIT)),
        (b"settings", Text(LIST_LIMIT, optional=True)),
        (b"stacks", amp.Boolean(optional=True)),
    ]
    fatalErrors: ClassVar[Any] = {
        VersionRefused: b"VERSION",
        ServiceRefused: b"SERVICE",
        RoleRefused: b"ROLE",
        NodeRefused: b"NODE",
    }


class Register(Command):
    """A client says which process it is; its first report must be whole.

    ``process`` is the process's random token. A process numbers its registrations
    upwards, over all nodes: one that is not newer than what the node knows is answered
    by ``Superseded``, and the link is closed. ``interval`` is how many seconds to leave
    between two reports; a busy node answers with more. ``stacks`` says whether it may
    be asked by ``Stack``; a client that knows no such question says nothing.
    """

    arguments: ClassVar[Any] = [
        (b"process", Text(PROCESS_LIMIT)),
        (b"hostname", Text(NAME_LIMIT)),
        (b"program", Text(NAME_LIMIT)),
        (b"pid", Count()),
        (b"registration", Count()),
        (b"stacks", amp.Boolean(optional=True)),
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
    """A console asks for frames, a feed at once and then one every ``interval``.

    ``queries`` say which rows of which views are wanted. ``interval`` is held within
    ``MIN_FEED_SECONDS`` and ``MAX_FEED_SECONDS``. A console that is slow to answer gets
    fewer feeds, always of the newest state; so does one whose queries take the node
    long. ``QUERY`` is the answer if one of them cannot be understood, with a text that
    says which; then all is as it was before.
    """

    arguments: ClassVar[Any] = [
        (b"queries", Payload()),
        (b"interval", Seconds()),
        (b"number", Count()),
    ]
    response: ClassVar[Any] = []
    errors: ClassVar[Any] = {QueryError: b"QUERY"}


class Feed(Command):
    """A node shows a console what it subscribed to.

    ``number`` is that of the ``Subscribe`` it answers.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload()), (b"number", Count())]
    response: ClassVar[Any] = []


class Digest(Command):
    """A peer says what it has, in numbers: of homes, of maxima, of the journal.

    A home is a node's name and incarnation. The answer names what the node asked has
    otherwise, or lacks; of a home that tells it itself, nothing.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = [(b"payload", Payload())]


class Versions(Command):
    """A peer lists process token and version for each record of one home.

    The answer lists the tokens whose records the node lacks or has older. What is not
    on a peer's list of its own home is not there any more.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = [(b"payload", Payload())]


class Records(Command):
    """A peer hands over whole records, each with its version, its home and its age.

    Merging is free of order: the highest version wins, and gone wins over live at the
    same version. Nothing is passed on because it was received here.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []


class Deltas(Command):
    """A peer passes on reports of processes linked to it, as they made them.

    The answer lists processes whose report builds on one that is not held: their
    records are wanted whole.
    """

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = [(b"payload", Payload())]


class Alive(Command):
    """A peer's heartbeat, once a second: how long ago it heard of each home."""

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []


class Sums(Command):
    """A peer tells maxima: the service's, and some programs'. The largest wins."""

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []


class Remarks(Command):
    """A peer tells what of the journal the node lacks."""

    arguments: ClassVar[Any] = [(b"payload", Payload())]
    response: ClassVar[Any] = []


class Stack(Command):
    """A question: where is whoever has a connection of this process now.

    A console asks for the process by its token, or by ``hostname`` and ``pid``, which
    several may share; a peer by its token. ``connection`` is the number of one of its
    connections; without it all that are out are meant. The node asks the process, or
    the one node that it is linked to; the answer is ``found`` of
    ``connmon.wire.stacks``. A client is asked for ``connection`` only, one question at
    a time, and answers ``told``.
    """

    arguments: ClassVar[Any] = [
        (b"process", Text(PROCESS_LIMIT, optional=True)),
        (b"hostname", Text(NAME_LIMIT, optional=True)),
        (b"pid", Count(optional=True)),
        (b"connection", Count(optional=True)),
    ]
    response: ClassVar[Any] = [(b"payload", Payload())]
