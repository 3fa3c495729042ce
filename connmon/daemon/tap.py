"""``twistd connmon``: the node's options, and the one place that joins its parts."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python import usage

from connmon import __version__, config
from connmon.address import Address
from connmon.daemon.chronicle import Chronicle
from connmon.daemon.feeds import Feeds
from connmon.daemon.intake import Node, NodeFactory
from connmon.daemon.listening import Listener, bind_all
from connmon.daemon.mesh import Mesh, settings_of
from connmon.daemon.stacks import Stacks
from connmon.daemon.unixport import UnixPort
from connmon.errors import ConfigError
from connmon.model.board import Board
from connmon.model.journal import Journal
from connmon.views.fleet import Fleet
from connmon.views.query import Query
from connmon.wire.frames import encode_feed
from connmon.wire.reactor import steady_reactor

COLLECTOR = (50_000, 20, 100)
"""When a node collects garbage, as ``gc.set_threshold`` has it."""

_log = Logger(namespace="connmon.daemon")


class Options(usage.Options):
    """The options of ``twistd connmon``; the same as those of ``connmond``."""

    synopsis = "[--config FILE] [--service NAME] [--node NAME] [--host ADDRESS]..."
    longdesc = "A connmon node: hears processes out, and shows consoles the picture."
    optParameters = [  # noqa: RUF012  the shape Twisted asks for
        ["config", "c", None, f"Config file (default: {config.DEFAULT_PATH})."],
        ["service", "s", config.DEFAULT_SERVICE, "Which service this node is of."],
        ["node", "n", None, "Which node this is; may be left out if there is one."],
    ]

    def __init__(self) -> None:
        """No address is given yet."""
        super().__init__()
        self["host"] = []

    def opt_host(self, address: str) -> None:
        """Listen on HOST[:PORT] or unix:/PATH, not on the node's binds; repeatable."""
        self["host"].append(address)

    opt_H = opt_host  # noqa: N815  the shape Twisted asks for

    def opt_version(self) -> None:
        """Print connmon's version and end."""
        print(f"connmon {__version__}")
        raise SystemExit(0)


def makeService(options: Any) -> MultiService:
    """The node's service, already bound to its port.

    Called by twistd. A mistake in the options or the config, or a port that is in use,
    ends the program with one line.
    """
    reactor = steady_reactor()
    # A full collection looks at each record there is: with 10,000 programs it stops the
    # node for half a second, some twice a minute by Python's own thresholds.
    gc.set_threshold(*COLLECTOR)
    try:
        return make_node(options, reactor)
    except ConfigError as error:
        raise SystemExit(f"connmon: {error}") from None


def make_node(options: Any, reactor: Any) -> MultiService:
    """Join a node's parts. Raises ``ConfigError``."""
    settings = config.load(options["config"])
    service = settings.service(options["service"])
    this = service.node(options["node"])
    hosts = tuple(map(_host, options["host"]))
    listeners = bind_all(hosts or this.binds)
    if hosts and len(service.nodes) == 1:
        service = _found_at(service, listeners[0].address)
    node = join(reactor, service, this.name, os.urandom(8).hex())
    whole = MultiService()
    listening = Listening(reactor, node, listeners, settings.warnings)
    listening.setServiceParent(whole)
    return whole


def join(reactor: Any, service: config.Service, name: str, incarnation: str) -> Node:
    """The parts of node ``name`` of a service, which only know each other here."""
    board = Board(
        service.name,
        name,
        incarnation,
        now=reactor.seconds(),
        stale_after=service.stale_after,
    )
    journal = Journal(name, incarnation)
    chronicle = Chronicle(journal, board, reactor.seconds())
    mesh = Mesh(reactor, service, name, board, journal, on_tick=chronicle.tick)
    fleet = Fleet(
        board,
        nodes=mesh.nodes,
        events=journal.newest,
        cluster=mesh.cluster,
        limits={each.server: each.limit for each in service.databases},
    )

    def made(queries: Sequence[Query]) -> bytes:
        return encode_feed(fleet.answers(queries, reactor.seconds()))

    return Node(
        service=service.name,
        name=name,
        incarnation=incarnation,
        board=board,
        feeds=Feeds(reactor, made),
        mesh=mesh,
        chronicle=chronicle,
        stacks=Stacks(reactor, board, service.stacks, mesh.stacks),
        settings=settings_of(service),
        clock=reactor,
    )


def _found_at(service: config.Service, address: config.AnyAddress) -> config.Service:
    """A service of one node, which is at this address and not at the configured one.

    Where one listens on all addresses there are, the configured one may be right.
    """
    if isinstance(address, Address) and address.host in ("0.0.0.0", "::"):
        return service
    (this,) = service.nodes
    return replace(service, nodes=(replace(this, hostname=address),))


def _host(text: str) -> config.AnyAddress:
    """The address that ``--host`` means; port 0 is any free one."""
    try:
        return config.parse_address(text, allow_zero=True)
    except ConfigError as error:
        raise ConfigError(f"--host: {error}") from None


class Listening(Service):
    """Accepts links on sockets bound already, and drops all of them at the end."""

    def __init__(
        self,
        reactor: Any,
        node: Node,
        listeners: list[Listener],
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Take over the sockets; ``warnings`` are logged at the start."""
        self._reactor = reactor
        self._node = node
        self._listeners = listeners
        self._warnings = warnings
        self._ports: list[Any] = []

    def startService(self) -> None:
        """Begin to accept."""
        super().startService()
        for warning in self._warnings:
            # Not as "warning", which would make it one of Python's.
            _log.warn("{text}", text=warning)
        factory = NodeFactory(self._node)
        for each in self._listeners:
            self._ports.append(self._port(each.socket, factory))
        self._node.mesh.start()
        # Whoever waits for this may send SIGTERM next: only now is it heeded.
        self._reactor.callWhenRunning(self._announce)

    def _port(self, bound: socket.socket, factory: NodeFactory) -> Any:
        """A port that accepts on a copy of the socket."""
        if bound.family == socket.AF_UNIX:
            return UnixPort.adopt(self._reactor, bound.fileno(), factory)
        return self._reactor.adoptStreamPort(bound.fileno(), bound.family, factory)

    def _announce(self) -> None:
        """Say where the node listens."""
        for each in self._listeners:
            _log.info(
                "node {node} of service {service} listens on {address}, "
                "connmon {version}",
                node=self._node.name,
                service=self._node.service,
                address=each.address,
                version=__version__,
            )

    def stopService(self) -> Any:
        """Accept no more, and hang up on everyone; done when the ports are closed."""
        super().stopService()
        _log.info("node {node} stops", node=self._node.name)
        for each in self._listeners:
            self._close(each)
        stopped = [maybeDeferred(port.stopListening) for port in self._ports]
        self._listeners, self._ports = [], []
        self._node.mesh.stop()
        for link in list(self._node.links):
            link.dismiss()
        return DeferredList(stopped)

    def _close(self, listener: Listener) -> None:
        """Close a socket; that its file stays is no reason to leave the others open."""
        try:
            listener.close()
        except OSError as error:
            _log.warn(
                "cannot remove {address}: {reason}",
                address=listener.address,
                reason=os.strerror(error.errno or 0),
            )
