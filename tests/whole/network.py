"""A network of hosts in one machine, whose cables can be cut, slow or bad.

A host is a network namespace with an address and a name of its own; programs are run
there by the command that `Host.command` makes. The hosts' cables meet in a program,
`tests.whole.switch`, that forwards their frames, or does worse as it is told to; when
an order's call returns, it holds. The kernel of the host, its scheduler of packets in
particular, has no say in it.

A cut is silence: nothing is refused, and nobody is told. So that this is so for new
connections too, each host knows the others' Ethernet addresses beforehand.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SkipTest

from tests.whole import switch
from tests.whole.fleet import APPLICATION, Application, NotSeen, Running
from tests.whole.servers import REQUIRE
from tests.whole.switch import ip, namespaces, remove

if TYPE_CHECKING:
    from typing_extensions import Self

PREFIX = "connmon"
NEEDED = ("ip", "ethtool", "unshare")
CABLE = "eth0"
ENDED_WITHIN = 60.0

#: What the kernel leaves to a network card, which nobody here would do: a packet has to
#: be on the cable as it would be on a real one.
OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro")

#: Gives the command a host's name; the process stays the same one.
NAMED = 'echo "$1" >/proc/sys/kernel/hostname && shift && exec "$@"'


class NoNetwork(Exception):
    """A network could not be made; the text says why."""


@dataclass(frozen=True)
class Host:
    """One host: its name, also to itself, and where it is."""

    name: str
    namespace: str
    number: int

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return f"10.77.0.{self.number}"

    @property
    def mac(self) -> str:
        """Its Ethernet address."""
        return f"02:00:00:00:00:{self.number:02x}"

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """The command that runs ``command`` there, as the very process it starts."""
        inside = ["ip", "netns", "exec", self.namespace]
        named = ["unshare", "--uts", "sh", "-c", NAMED, "sh", self.name]
        return [*inside, *named, *map(str, command)]


class Inside(Application):
    """An application on a host."""

    def __init__(
        self, host: Host, setup: str = "", env: Mapping[str, str] | None = None
    ) -> None:
        """Start it; ``setup`` is Python that it runs first."""
        Running.__init__(
            self,
            host.command([sys.executable, "-c", APPLICATION, setup]),
            {"PYTHONWARNINGS": "error,ignore::ResourceWarning", **(env or {})},
        )
        self._answer()


@dataclass(frozen=True)
class Count:
    """The frames from one host to another: how many passed, and how many were lost."""

    passed: int
    lost: int


class Network:
    """Hosts, and the switch between them; a context object.

    All calls about a pair of hosts are about both directions, unless ``one_way`` asks
    for that from the first to the second. Trouble of several kinds adds up.
    """

    def __init__(self, *names: str) -> None:
        """Hosts of these names, numbered from one in this order; made on the way in."""
        # Whose it is, so that a later run knows it for a leftover; and unlike others.
        run = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(3)}"
        self.hosts = {
            name: Host(name, f"{run}-{name}", number)
            for number, name in enumerate(names, 1)
        }
        self._middle = f"{run}-switch.0"
        self._switch: Running | None = None

    def __getitem__(self, name: str) -> Host:
        """The host of this name."""
        return self.hosts[name]

    def __enter__(self) -> Self:
        """Make it, after the leftovers of runs that are no more were removed."""
        remove_leftovers()
        try:
            self._make()
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, NotSeen)):
                raise NoNetwork(f"no network: {error}") from error
            if isinstance(error, subprocess.CalledProcessError):
                raise NoNetwork(f"{error.cmd}: {error.stderr.strip()}") from error
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """Kill all that runs in it, and delete its namespaces."""
        try:
            if self._switch is not None:
                assert self._switch.process.stdin is not None
                with suppress(BrokenPipeError):
                    self._switch.process.stdin.close()
                self._switch.wait(ENDED_WITHIN)
        finally:
            if self._switch is not None:
                self._switch.end()
            for namespace in {*self._namespaces} & {*namespaces()}:
                remove(namespace)

    def cut(self, a: str, b: str, *, one_way: bool = False) -> None:
        """Let nothing pass between two hosts."""
        self._change(_pairs(a, b, one_way), cut=True)

    def isolate(self, name: str) -> None:
        """Pull a host's cable."""
        self._change(self._all_of(name), cut=True)

    def delay(self, a: str, b: str, seconds: float, *, one_way: bool = False) -> None:
        """Let what is sent between two hosts arrive so much later, each way."""
        self._change(_pairs(a, b, one_way), delay=seconds)

    def drop(self, a: str, b: str, fraction: float, *, one_way: bool = False) -> None:
        """Lose this part of the packets between two hosts, by chance."""
        self._change(_pairs(a, b, one_way), drop=fraction)

    def duplicate(
        self, a: str, b: str, fraction: float, *, one_way: bool = False
    ) -> None:
        """Let this part of the packets between two hosts arrive twice, by chance."""
        self._change(_pairs(a, b, one_way), duplicate=fraction)

    def heal(self, a: str, b: str, *, one_way: bool = False) -> None:
        """End all trouble between two hosts."""
        self._order(_pairs(a, b, one_way), None)

    def rejoin(self, name: str) -> None:
        """End all trouble between a host and the others."""
        self._order(self._all_of(name), None)

    def heal_all(self) -> None:
        """End all trouble."""
        self._order([*itertools.permutations(self.hosts, 2)], None)

    def count(self, a: str, b: str) -> Count:
        """The frames from one host to another, until now."""
        [counted] = self._order([(a, b)], {})
        return Count(**counted)

    def _all_of(self, name: str) -> list[tuple[str, str]]:
        others = self.hosts.keys() - {name}
        return [pair for other in others for pair in _pairs(name, other, False)]

    def _change(self, pairs: Sequence[tuple[str, str]], **change: float) -> None:
        self._order(pairs, change)

    def _order(
        self, pairs: Sequence[tuple[str, str]], change: Mapping[str, float] | None
    ) -> Any:
        """Give the switch an order, and wait until it holds; its answer."""
        assert self._switch is not None and self._switch.process.stdin is not None
        self._switch.process.stdin.write(json.dumps([pairs, change]) + "\n")
        return self._answer()

    def _answer(self) -> Any:
        assert self._switch is not None
        try:
            return json.loads(self._switch.out.until(lambda line: True))
        except NotSeen:
            complaint = "\n".join(self._switch.err.rest_so_far()[-5:])
            raise NotSeen(f"no answer from the switch:\n{complaint}") from None

    @property
    def _namespaces(self) -> list[str]:
        """All that are made, the switch's last."""
        return [*(host.namespace for host in self.hosts.values()), self._middle]

    def _make(self) -> None:
        for namespace in self._namespaces:
            ip("netns", "add", namespace)
        for host in self.hosts.values():
            self._connect(host)
        told = {
            "hosts": {host.name: host.mac for host in self.hosts.values()},
            "namespaces": self._namespaces,
        }
        self._switch = Running(
            [sys.executable, "-I", switch.__file__, json.dumps(told)]
        )
        self._answer()

    def _connect(self, host: Host) -> None:
        """Lay a cable from the host to the port of its name, and have both in use."""
        port, others = host.name, self.hosts.keys() - {host.name}
        middle, there = self._middle, host.namespace
        ip(
            *("-n", middle, "link", "add", "name", port, "type", "veth"),
            *("peer", "name", CABLE, "address", host.mac, "netns", there),
        )
        for namespace, end in ((middle, port), (there, CABLE)):
            _keep_packets_whole(namespace, end)
        _configure(
            middle,
            f"link set dev {port} addrgenmode none",
            f"link set dev {port} promisc on up",
        )
        _configure(
            there,
            "link set lo up",
            f"link set dev {CABLE} addrgenmode none up",
            f"address add {host.address}/24 dev {CABLE}",
            *(_known(self.hosts[other]) for other in others),
        )


def _pairs(a: str, b: str, one_way: bool) -> list[tuple[str, str]]:
    return [(a, b)] if one_way else [(a, b), (b, a)]


def _known(host: Host) -> str:
    """The order to `ip` by which a host's Ethernet address is known without asking."""
    return f"neighbour add {host.address} lladdr {host.mac} dev {CABLE} nud permanent"


def _configure(namespace: str, *orders: str) -> None:
    """Give `ip` these orders, in a namespace."""
    ip("-n", namespace, "-batch", "-", orders="\n".join(orders) + "\n")


def _keep_packets_whole(namespace: str, interface: str) -> None:
    """Have the kernel do what it would leave to a network card."""
    settings = [word for offload in OFFLOADS for word in (offload, "off")]
    inside = ("ip", "netns", "exec", namespace)
    subprocess.run(
        [*inside, "ethtool", "-K", interface, *settings],
        capture_output=True,
        text=True,
        check=True,
    )


def remove_leftovers() -> None:
    """Remove the namespaces of runs whose process is no more."""
    for namespace in namespaces():
        made = re.match(rf"{PREFIX}-(\d+)-[0-9a-f]{{6}}-", namespace)
        if made and not Path(f"/proc/{made[1]}").exists():
            remove(namespace)


@functools.cache
def unavailable() -> str:
    """Why no network can be made here; empty if one can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"not installed here: {', '.join(missing)}"
    try:
        with Network("a", "b"):
            return ""
    except NoNetwork as error:
        return str(error)


def require(
    why_not: str | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Skip the test that needs a network, and say why, where none can be made.

    Where the environment says CONNMON_REQUIRE_SERVERS=1, fail it instead.
    """
    text = unavailable() if why_not is None else why_not
    if text and environ.get(REQUIRE) == "1":
        raise AssertionError(f"{text}, and {REQUIRE}=1 wants it tested")
    if text:
        raise SkipTest(text)
