"""What may answer an application where a node should be: real sockets, bad manners.

A *stranger* has a loopback port of its own, answers every call in its manner, each in a
thread, and notes when it was called. When told to, it passes calls on to a real node
instead: to the application a good node has then come up at the same address. What
passes is read on the way, so that a test knows what was reported to the last digit.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from connmon.errors import ProtocolError
from connmon.model.records import Report
from connmon.wire.reports import decode_report

if TYPE_CHECKING:
    from typing_extensions import Self

HOST = "127.0.0.1"

Box = dict[bytes, bytes]
Manner = Callable[[socket.socket], None]
"""How a call is taken; it is over when this returns, or when the caller hangs up."""


class Stranger:
    """Something at an address where a node is expected."""

    def __init__(self, manner: Manner) -> None:
        """Take calls in this manner, from now on."""
        self.manner = manner
        #: When each call came, by the monotonic clock.
        self.calls: list[float] = []
        #: What was reported through here, by the process's token: the last of each.
        self.reports: dict[bytes, Report] = {}
        self._links: set[socket.socket] = set()
        self._door = socket.socket()
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._door.bind((HOST, 0))
        self.port = int(self._door.getsockname()[1])
        self.open()

    @property
    def address(self) -> str:
        """What ``connmon_addr`` wants."""
        return f"{HOST}:{self.port}"

    def open(self) -> None:
        """Answer the door."""
        self._door.listen(100)
        self._start(self._answer_the_door)

    def become(self, manner: Manner) -> None:
        """Take calls in another manner, and those that last are hung up on."""
        self.manner = manner
        self.hang_up()

    def become_node(self, port: int) -> None:
        """Pass calls on to the node at this port."""
        self.become(lambda link: self._pass_on(link, port))

    def hang_up(self) -> None:
        """End all calls."""
        for link in list(self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Be gone: nothing listens here any more."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.hang_up()

    def __enter__(self) -> Self:
        """The stranger, who listens."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Be gone."""
        self.close()

    def _start(self, function: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        return thread

    def _answer_the_door(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._door.accept()
                self.calls.append(time.monotonic())
                self._start(self._take, link)

    def _take(self, link: socket.socket) -> None:
        """One call, from first to last."""
        self._links.add(link)
        try:
            with link, suppress(OSError):
                self.manner(link)
        finally:
            self._links.discard(link)

    def _pass_on(self, link: socket.socket, port: int) -> None:
        """Be a wire between the caller and a node, and read what the caller says."""
        with socket.create_connection((HOST, port)) as node:
            back = self._start(_pump, node, link)
            self._listen_in(link, node)
            with suppress(OSError):
                node.shutdown(socket.SHUT_WR)
            back.join()

    def _listen_in(self, link: socket.socket, node: socket.socket) -> None:
        process = b""
        for said in boxes(link, node.sendall):
            process = said.get(b"process", process)
            with suppress(ProtocolError):
                if b"payload" in said:
                    self.reports[process] = decode_report(_joined(said))


class Absent(Stranger):
    """Nobody: the port is bound, so that no other program gets it, and refuses."""

    def __init__(self) -> None:
        """Be nobody until there is a node."""
        super().__init__(hangs_up)

    def open(self) -> None:
        """Not yet."""

    def become_node(self, port: int) -> None:
        """Have a node there after all."""
        super().become_node(port)
        super().open()


class BlackHole(Absent):
    """A queue that is full for good: the system does not answer who calls."""

    def open(self) -> None:
        """Fill the queue, until somebody is left standing."""
        self._door.listen(0)
        self._queue: list[socket.socket] = []
        while len(self._queue) < 16:
            caller = socket.socket()
            self._queue.append(caller)
            caller.settimeout(0.2)
            try:
                caller.connect((HOST, self.port))
            except TimeoutError:
                return

    def become_node(self, port: int) -> None:
        """Let the queue in, and out again."""
        for caller in self._queue:
            caller.close()
        super().become_node(port)

    def close(self) -> None:
        """Send the queue home as well."""
        super().close()
        for caller in self._queue:
            caller.close()


# Manners. Each ends the call by returning.


def hangs_up(link: socket.socket) -> None:
    """Hang up at once."""


def breaks_off(link: socket.socket) -> None:
    """Hang up at once, with a reset."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def never_reads(link: socket.socket) -> None:
    """Take the call, and no word of it."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    _until_gone(link)


def falls_silent(link: socket.socket) -> None:
    """Answer the greeting, and then no more."""
    for asked in boxes(link):
        if asked.get(b"_command") == b"Hello":
            link.sendall(answer(asked, **WELCOME))


def takes_one(link: socket.socket) -> None:
    """Welcome and register whoever comes, take one report, and hang up."""
    for asked in boxes(link):
        match asked.get(b"_command"):
            case b"Hello":
                link.sendall(answer(asked, **WELCOME))
            case b"Register":
                link.sendall(answer(asked, interval=b"1.0"))
            case _:
                return


def stops_listening(link: socket.socket) -> None:
    """Welcome and register whoever comes, and never answer a report."""
    for asked in boxes(link):
        if asked.get(b"_command") == b"Hello":
            link.sendall(answer(asked, **WELCOME))
        elif asked.get(b"_command") == b"Register":
            link.sendall(answer(asked, interval=b"1.0"))


def talks_rubbish(link: socket.socket) -> None:
    """Bytes that are nothing, and more of them as long as somebody reads."""
    while True:
        link.sendall(bytes(range(255, -1, -1)) * 64)


def greets_by_half(link: socket.socket) -> None:
    """Half an answer to the greeting."""
    for asked in boxes(link):
        welcome = answer(asked, **WELCOME)
        link.sendall(welcome[: len(welcome) // 2])
        return


def drips(link: socket.socket) -> None:
    """A proper answer to the greeting, a byte a second."""
    for asked in boxes(link):
        for byte in answer(asked, **WELCOME):
            link.sendall(bytes([byte]))
            time.sleep(1.0)


def says_too_much(link: socket.socket) -> None:
    """An answer to the greeting that has no end."""
    for asked in boxes(link):
        link.sendall(answer(asked, **WELCOME)[:-2])
        for number in range(1000):
            link.sendall(_pair(b"more%d" % number, b"x" * 60000))


def floods(link: socket.socket) -> None:
    """The same once the greeting is over."""
    for asked in boxes(link):
        if asked.get(b"_command") == b"Hello":
            link.sendall(answer(asked, **WELCOME))
            continue
        link.sendall(answer(asked, interval=b"1.0")[:-2])
        for number in range(1000):
            link.sendall(_pair(b"more%d" % number, b"x" * 60000))


def speaks_http(link: socket.socket) -> None:
    """A web server."""
    link.recv(4096)
    link.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def refuses(link: socket.socket) -> None:
    """A node that wants nothing to do with this client, and says why."""
    for asked in boxes(link):
        link.sendall(
            _packed(
                {
                    b"_error": asked[b"_ask"],
                    b"_error_code": b"SERVICE",
                    b"_error_description": b"this is service other",
                }
            )
        )
        return


def makes_no_sense(link: socket.socket) -> None:
    """Proper boxes with values that cannot be."""
    for asked in boxes(link):
        link.sendall(answer(asked, version=b"-1", node=b"\xff\xfe"))


WELCOME = {
    "version": b"1",
    "service": b"default",
    "node": b"stranger",
    "incarnation": b"0",
    "software": b"0",
}
"""A greeting that is well taken."""


# AMP, as far as it is needed here; not connmon's own, which is what is being tested.


def boxes(
    link: socket.socket, seen: Callable[[bytes], None] = lambda data: None
) -> Iterator[Box]:
    """What somebody says, box by box; ``seen`` gets the bytes as they come."""
    data = b""
    while received := link.recv(65536):
        seen(received)
        data += received
        while (cut := _first_box(data)) is not None:
            box, data = cut
            yield box


def answer(asked: Box, **values: bytes) -> bytes:
    """The answer to a question."""
    return _packed(
        {b"_answer": asked[b"_ask"]}
        | {name.encode(): value for name, value in values.items()}
    )


def _first_box(data: bytes) -> tuple[Box, bytes] | None:
    """The first box and what follows it, ``None`` if it is not whole yet."""
    strings: list[bytes] = []
    at = 0
    while at + 2 <= len(data):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        if begin == at and len(strings) % 2 == 0:
            return dict(zip(strings[::2], strings[1::2], strict=True)), data[at:]
        strings.append(data[begin:at])
    return None


def _pair(key: bytes, value: bytes) -> bytes:
    return struct.pack("!H", len(key)) + key + struct.pack("!H", len(value)) + value


def _packed(box: Box) -> bytes:
    return b"".join(_pair(*each) for each in box.items()) + b"\0\0"


def _joined(box: Box) -> bytes:
    """A payload's pieces, in one."""
    pieces, number = [box[b"payload"]], 1
    while (key := b"payload.%d" % number) in box:
        pieces.append(box[key])
        number += 1
    return b"".join(pieces)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on all that comes."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _until_gone(link: socket.socket) -> None:
    """Wait until the caller hangs up, without reading."""
    while True:
        info = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        if info[0] != 1:  # TCP_ESTABLISHED
            return
        time.sleep(0.05)


# Names.


class NameServer:
    """A name server on port 53 of a loopback address of its own; needs privileges.

    It hears every question and answers none, until it is told to: then every name has
    the address 127.0.0.1. ``by`` is the command under which a program asks it.
    """

    def __init__(self, directory: Path) -> None:
        """Listen. What the programs are to find in ``/etc`` goes into ``directory``."""
        self.asked: list[float] = []
        self.answers = False
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}", 53))
        place = directory / "resolv.conf"
        place.write_text(
            f"nameserver {self._socket.getsockname()[0]}\n"
            "options timeout:1 attempts:5\n"
        )
        order = directory / "nsswitch.conf"
        order.write_text("hosts: files dns\n")
        mount = (
            'mount --bind "$0" /etc/resolv.conf && '
            'mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"'
        )
        self.by = ("unshare", "--mount", "sh", "-c", mount, str(place), str(order))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Be gone."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                question, asker = self._socket.recvfrom(512)
                if not question:
                    return
                self.asked.append(time.monotonic())
                if self.answers:
                    self._socket.sendto(_named(question), asker)


def _named(question: bytes) -> bytes:
    """An answer to a name server's question: one address, of the fourth version."""
    end = question.index(b"\0", 12) + 5
    wants_v4 = question[end - 4 : end - 2] == b"\0\1"
    head = question[:2] + struct.pack("!5H", 0x8180, 1, int(wants_v4), 0, 0)
    address = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\x7f\0\0\1"
    return head + question[12:end] + (address if wants_v4 else b"")
