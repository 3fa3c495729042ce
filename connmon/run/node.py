"""A node of one's own, which nobody else can reach and of which nothing is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from twisted.internet import tcp

from connmon.address import Address, AnyAddress, UnixAddress
from connmon.client.options import TREE_SERVICE
from connmon.config import Node, Service
from connmon.daemon.listening import Listener, bind, bind_all
from connmon.daemon.tap import Listening, join
from connmon.errors import ConfigError
from connmon.run.witness import Witness

REPORT_SECONDS = 0.2
"""How often a process reports: what is killed had not more time to do something."""

LOOPBACK = Address("127.0.0.1", 0)
"""Where to listen if a socket cannot be made in the directory."""


@contextmanager
def private(reactor: Any, witness: Witness) -> Iterator[PrivateNode]:
    """A node that listens, and tells a witness what it hears. Raises ``ConfigError``.

    Its socket is in a directory that only this user may enter.
    """
    with _directory() as directory:
        yield PrivateNode(reactor, witness, _listeners(directory))
    if tcp._reservedFD.available():
        # Twisted has it for a lack of descriptors, and Python complains in the end.
        tcp._reservedFD.__enter__()


class PrivateNode:
    """The parts of a node, joined and started."""

    def __init__(
        self, reactor: Any, witness: Witness, listeners: list[Listener]
    ) -> None:
        """Listen from now on, and until the reactor stops."""
        self.address: AnyAddress = listeners[0].address
        name = "run"
        this = Node(name, self.address, (self.address,))
        joined = join(
            reactor, Service(TREE_SERVICE, (this,)), name, os.urandom(8).hex()
        )
        self._node = replace(joined, witness=witness, interval=REPORT_SECONDS)
        listening = Listening(reactor, self._node, listeners)
        listening.startService()
        reactor.addSystemEventTrigger("before", "shutdown", listening.stopService)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is linked to it."""
        return not self._node.links


@contextmanager
def _directory() -> Iterator[str]:
    """A directory of our own, for as long as it is needed. Raises ``ConfigError``."""
    try:
        made = tempfile.mkdtemp(prefix="connmon-")
    except OSError as error:
        raise ConfigError(f"no temporary directory: {error.strerror}") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _listeners(directory: str) -> list[Listener]:
    """A UNIX socket, or where that cannot be, a port."""
    try:
        return bind(UnixAddress(os.path.join(directory, "node")))
    except ConfigError:
        return bind_all([LOOPBACK])
