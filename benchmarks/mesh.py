"""What a cluster costs: bytes between its nodes, CPU of each, and a mass reconnect.

Nodes are real daemons on the loopback interface. Their clients are many in a process,
each with a link of its own; see ``benchmarks.inside.fleet``.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import results
from benchmarks.process import (
    Daemon,
    Failed,
    Worker,
    eventually,
    free_addresses,
)
from benchmarks.results import Target

NODES = (3, 5)
CLIENTS = (30, 300, 1000)
SKEWED = 300
"""Clients in the case where all of them are linked to one node."""

PERIOD = 1.0
"""Seconds between two changes of a client."""

FLEETS = 2
"""Processes in which clients are."""

SETTLED = 4.0
"""Seconds after which a new pace is the pace."""

MOVED = 2000
"""Clients that lose their node at the same moment."""

JOINED = 400
"""Clients that begin in a second."""

LOOK_SECONDS = 0.1
"""Between two looks at the boards during a reconnect."""

BIN = 0.05
"""Seconds that are counted together when links come back."""

DESCRIPTORS = 8192
"""Files that a node of all clients, or their own process, has to have open."""

PROGRAMS, NODES_VIEW = "programs", "nodes"

FLAT = 1.5
"""How many times the fewest bytes for a change the most may be."""

ONCE = 1.2
"""How often a change may cross the links that it has to, framing included."""

WITHIN = 5.0
"""Seconds in which all who lost their node are to be registered again."""

EVEN = 0.55
"""Which share of them the busier survivor may get."""

HEADER = ["nodes, clients", "changes/s", "messages/s", "B/s", "B/change", "crossed"]
HEADER += ["CPU of node1", "of another", "us/change"]

Tally = dict[str, dict[str, int]]


class Cluster:
    """A service of nodes, some of which are up."""

    def __init__(self, stack: ExitStack, count: int) -> None:
        """Write its config; ``stack`` ends what is started."""
        self._stack = stack
        names = [f"node{number}" for number in range(1, count + 1)]
        self.addresses = dict(zip(names, free_addresses(count), strict=True))
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._config = place / "connmon.cfg"
        lines = (
            f"    {name} hostname={address} bind={address}\n"
            for name, address in self.addresses.items()
        )
        self._config.write_text(
            f"[connmon_service_default]\nname: default\nnodes:\n{''.join(lines)}"
        )
        self.daemons: dict[str, Daemon] = {}
        self.console = stack.enter_context(Worker("fleet"))

    def start(self, *names: str) -> None:
        """Start these nodes, or all."""
        for name in names or self.addresses:
            options = ("-c", str(self._config), "--node", name)
            self.daemons[name] = self._stack.enter_context(Daemon(*options))

    def kill(self, name: str) -> float:
        """Kill a node; when that was."""
        at = time.monotonic()
        self.daemons.pop(name).end()
        return at

    def look(self, name: str, view: str) -> dict[str, Any]:
        """A frame of a node: its head, and its rows."""
        found: dict[str, Any] = self.console.ask(
            "look", address=self.addresses[name], view=view
        )
        return found

    def links(self) -> dict[str, dict[str, dict[str, int]]]:
        """By node and other node: what passed between them, as the first counted it."""
        return {
            name: {
                row["node"]: {key: row[key] for key in row if _is_traffic(key)}
                for row in self.look(name, NODES_VIEW)["rows"]
                if row["node"] != name
            }
            for name in self.daemons
        }

    def await_agreement(self) -> None:
        """Wait until those that are up have agreed lately, each with each."""
        began = time.monotonic()

        def agreed() -> bool:
            passed = time.monotonic() - began
            return all(
                row["agreed_seconds"] is not None and row["agreed_seconds"] < passed
                for name in self.daemons
                for row in self.look(name, NODES_VIEW)["rows"]
                if row["node"] in self.daemons and row["node"] != name
            )

        eventually(agreed)

    def await_processes(self, count: int) -> None:
        """Wait until every board shows so many processes, and none is stale."""
        eventually(
            lambda: all(
                counts(self.look(name, PROGRAMS)) == (count, 0) for name in self.daemons
            )
        )

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each node has used."""
        return {name: cpu(each.process.pid) for name, each in self.daemons.items()}


class Fleet:
    """Clients, in a few processes."""

    def __init__(self, stack: ExitStack) -> None:
        """There are none yet."""
        self.workers = [stack.enter_context(Worker("fleet")) for _ in range(FLEETS)]
        self._joined = 0

    def join(self, count: int, addresses: Iterable[str]) -> None:
        """Have so many more be linked to one of these addresses."""
        for worker, share in zip(self.workers, shares(count, FLEETS), strict=True):
            worker.ask(
                "join",
                first=self._joined,
                count=share,
                addresses=list(addresses),
                seconds=count / JOINED,
            )
            self._joined += share

    def pace(self, period: float) -> None:
        """Have each change once in so many seconds."""
        for worker in self.workers:
            worker.ask("pace", period=period)

    def tally(self) -> Tally:
        """By node: its members, their reports, and the bytes of these."""
        whole: dict[str, Counter[str]] = {}
        for worker in self.workers:
            for node, each in worker.ask("tally").items():
                whole.setdefault(node, Counter()).update(each)
        return {node: dict(each) for node, each in whole.items()}

    def moved(self, since: float) -> list[tuple[str, float, float]]:
        """Those registered since: to whom, when linked, when registered."""
        return [
            tuple(each)
            for worker in self.workers
            for each in worker.ask("moved", since=since)
        ]

    def cpu(self) -> float:
        """Seconds of CPU that all its processes have used."""
        return sum(cpu(worker.process.pid) for worker in self.workers)


# A steady pace.


def steady(nodes: int, placed: Sequence[int], seconds: float) -> dict[str, Any]:
    """What passes and what is used, with so many clients at each of the nodes."""
    with ExitStack() as stack:
        cluster, fleet = Cluster(stack, nodes), Fleet(stack)
        cluster.start()
        addresses = cluster.addresses.values()
        for address, count in zip(addresses, placed, strict=True):
            fleet.join(count, [address])
        cluster.await_processes(sum(placed))
        fleet.pace(PERIOD if sum(placed) else 0.0)
        cluster.await_agreement()
        time.sleep(min(SETTLED, seconds))
        before = _look(cluster, fleet)
        time.sleep(seconds)
        after = _look(cluster, fleet)
        for name in cluster.daemons:
            if counts(cluster.look(name, PROGRAMS)) != (sum(placed), 0):
                raise Failed(f"{name} does not count {sum(placed)} processes")
    return rates(before, after)


def _look(cluster: Cluster, fleet: Fleet) -> dict[str, Any]:
    """All totals at about one moment."""
    return {
        "at": time.monotonic(),
        "cpu": cluster.cpu(),
        "links": cluster.links(),
        "fleet": fleet.tally(),
        "fleet_cpu": fleet.cpu(),
    }


def rates(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What was between two looks, by the second."""
    passed: float = after["at"] - before["at"]

    def rate(later: float, sooner: float) -> float:
        return (later - sooner) / passed

    return {
        "seconds": passed,
        "cpu": {
            name: rate(used, before["cpu"][name]) for name, used in after["cpu"].items()
        },
        "fleet_cpu": rate(after["fleet_cpu"], before["fleet_cpu"]),
        "changes": {
            name: rate(each["sent"], before["fleet"][name]["sent"])
            for name, each in after["fleet"].items()
        },
        "told": {
            name: rate(each["told"], before["fleet"][name]["told"])
            for name, each in after["fleet"].items()
        },
        "links": {
            name: {
                other: {
                    key: rate(count, before["links"][name][other][key])
                    for key, count in each.items()
                }
                for other, each in links.items()
            }
            for name, links in after["links"].items()
        },
    }


def total(found: Mapping[str, Any], *keys: str) -> float:
    """What of these passed between the mean two nodes, both ways."""
    return mean(float(sum(link[key] for key in keys)) for link in _links(found))


def sent_bytes(found: Mapping[str, Any]) -> float:
    """Bytes that all nodes sent each other."""
    return float(sum(link["bytes_sent"] for link in _links(found)))


def _links(found: Mapping[str, Any]) -> list[dict[str, float]]:
    """What passed between each two nodes, as either counted it."""
    return [link for links in found["links"].values() for link in links.values()]


def each_change(found: Mapping[str, Any], idle: Mapping[str, Any]) -> float:
    """Bytes for one change on each link that it crosses, more than in idleness."""
    return _more(found, idle) / _crossings(found, "changes")


def crossed(found: Mapping[str, Any], idle: Mapping[str, Any]) -> float:
    """How often a change crossed each link that it had to, by the bytes."""
    return _more(found, idle) / _crossings(found, "told")


def _more(found: Mapping[str, Any], idle: Mapping[str, Any]) -> float:
    return sent_bytes(found) - sent_bytes(idle)


def _crossings(found: Mapping[str, Any], key: str) -> float:
    """What the nodes have to tell each other, if each tells each other one once."""
    return float(sum(found[key].values())) * (len(found["links"]) - 1)


def used(found: Mapping[str, Any]) -> tuple[float, float]:
    """CPU of the first node, and of the mean other."""
    first, *others = map(float, found["cpu"].values())
    return first, mean(others)


def _cpu_of_one(found: Mapping[str, Any]) -> float:
    """CPU of the mean node."""
    return mean(map(float, found["cpu"].values()))


def row(name: str, found: Mapping[str, Any], idle: Mapping[str, Any]) -> list[str]:
    """A case's line of the table."""
    changes = sum(found["changes"].values())
    first, other = used(found)
    more = _cpu_of_one(found) - _cpu_of_one(idle)
    return [
        name,
        f"{changes:,.0f}",
        f"{total(found, 'messages_sent', 'messages_received'):,.1f}",
        f"{total(found, 'bytes_sent', 'bytes_received'):,.0f}",
        f"{each_change(found, idle):.0f}" if changes else "",
        f"{crossed(found, idle):.2f}" if changes else "",
        f"{first:.2%}",
        f"{other:.2%}",
        f"{more / changes * 1e6:.0f}" if changes else "",
    ]


def shares_of_cost(
    found: Mapping[str, Any], idle: Mapping[str, Any]
) -> tuple[float, float]:
    """Seconds of CPU of a change that a node hears, and of one it is told of.

    Where all clients are linked to the first node.
    """
    changes = sum(found["changes"].values())
    heard, told = (
        (now - before) / changes
        for now, before in zip(used(found), used(idle), strict=True)
    )
    return heard, told


# A mass reconnect.


def reconnect(count: int, seconds: float) -> dict[str, Any]:
    """What happens when so many clients lose their node: one of three, killed."""
    with ExitStack() as stack:
        cluster, fleet = Cluster(stack, 3), Fleet(stack)
        lost, *survivors = cluster.addresses
        # Alone at first, so that it gets them all.
        cluster.start(lost)
        fleet.join(count, cluster.addresses.values())
        cluster.await_processes(count)
        cluster.start(*survivors)
        cluster.await_processes(count)
        cluster.await_agreement()
        for name in survivors:
            cluster.console.ask(
                "watch", address=cluster.addresses[name], interval=LOOK_SECONDS
            )
        time.sleep(min(SETTLED, seconds))
        before = _look(cluster, fleet)
        killed = cluster.kill(lost)
        eventually(lambda: len(fleet.moved(killed)) == count)
        cluster.await_processes(count)
        right = time.monotonic() - killed
        cluster.await_agreement()
        after = _look(cluster, fleet)
        time.sleep(seconds)
        seen = {
            name: cluster.console.ask(
                "seen", address=cluster.addresses[name], since=killed
            )
            for name in survivors
        }
        ends = {name: cluster.look(name, PROGRAMS) for name in survivors}
        moved = fleet.moved(killed)
    one, other = survivors
    links = before["links"][one][other], after["links"][one][other]
    return {
        "clients": count,
        "moved": moved,
        "right": right,
        "link": {key: links[1][key] - links[0][key] for key in links[0]},
        "seconds": after["at"] - before["at"],
        "cpu": {name: after["cpu"][name] - before["cpu"][name] for name in survivors},
        "fleet_cpu": after["fleet_cpu"] - before["fleet_cpu"],
        "seen": seen,
        "ends": {name: _end(frame) for name, frame in ends.items()},
    }


def _end(frame: Mapping[str, Any]) -> dict[str, int]:
    """What a board shows at the end: the totals, and the sums of its rows."""
    head, rows = frame["head"], frame["rows"]
    return {
        "processes": head["processes"]["current"],
        "most": head["processes"]["maximum"],
        "stale": head["stale"],
        "of rows": sum(each["nproc"] for each in rows),
        "most of rows": sum(each["maxnproc"] for each in rows),
    }


RECONNECT = ["after the kill", "linked", "registered", "node2", "node3"]


def bins(moved: Sequence[tuple[str, float, float]]) -> results.Rows:
    """How links and registrations came, by the time; with where to, by then."""
    rows = []
    last = max(registered for _, _, registered in moved)
    for step in range(int(last / BIN) + 1):
        start, end = step * BIN, (step + 1) * BIN
        linked = sum(start <= at < end for _, at, _ in moved)
        came = Counter(node for node, _, at in moved if start <= at < end)
        rows.append(
            [
                f"{start * 1000:.0f}-{end * 1000:.0f} ms",
                f"{linked}",
                f"{came.total()}",
                *(f"{came[node]}" for node in ("node2", "node3")),
            ]
        )
    return rows


def summary(found: Mapping[str, Any]) -> list[str]:
    """The reconnect in words."""
    return [_course(found), _places(found), _passed(found), _shown(found)]


def _course(found: Mapping[str, Any]) -> str:
    """How soon they were back."""
    moved = found["moved"]
    registered = sorted(at for _, _, at in moved)
    last = max(at for _, at, _ in moved)
    return (
        f"Reconnect: {len(moved):,} of {found['clients']:,} registered again, half of "
        f"them {registered[len(registered) // 2]:.2f} s after the kill, the last "
        f"after {registered[-1]:.2f} s; the last link stood after {last:.2f} s. "
        f"Nodes used {sum(found['cpu'].values()):.1f} s of CPU, clients "
        f"{found['fleet_cpu']:.1f} s."
    )


def _places(found: Mapping[str, Any]) -> str:
    """Where they went."""
    where = Counter(node for node, _, _ in found["moved"])
    return ", ".join(f"{where[node]:,} went to {node}" for node in sorted(where)) + "."


def _passed(found: Mapping[str, Any]) -> str:
    """What the survivors told each other of it."""
    link = found["link"]
    size = link["bytes_sent"] + link["bytes_received"]
    return (
        f"Between the survivors passed {link['messages_sent']:,} + "
        f"{link['messages_received']:,} messages, {link['bytes_sent']:,} + "
        f"{link['bytes_received']:,} bytes, in {found['seconds']:.1f} s: "
        f"{size / found['clients']:,.0f} bytes for each client."
    )


def _shown(found: Mapping[str, Any]) -> str:
    """What consoles were shown meanwhile, and at the end."""
    looks = [look for each in found["seen"].values() for look in each]
    processes = [count for _, count, _ in looks]
    stale = max((at for at, _, count in looks if count), default=None)
    return (
        f"The survivors' boards showed {min(processes):,} processes at least and "
        f"{max(processes):,} at most, at any time "
        f"{max(count for *_, count in looks):,} stale at most, "
        + ("" if stale is None else f"the last of these after {stale:.1f} s, ")
        + f"and were right after {found['right']:.1f} s. At the end: "
        + "; ".join(_told(*each) for each in found["ends"].items())
        + "."
    )


def _told(name: str, end: Mapping[str, int]) -> str:
    return f"{name} " + ", ".join(f"{what} {count:,}" for what, count in end.items())


def reconnected(found: Mapping[str, Any]) -> list[Target]:
    """What a mass reconnect is held to."""
    moved, count = found["moved"], found["clients"]
    where = Counter(node for node, _, _ in moved)
    off = sum(
        abs(end["processes"] - count) + abs(end["of rows"] - count) + end["stale"]
        for end in found["ends"].values()
    )
    most = max(end["most"] for end in found["ends"].values())
    return [
        Target("reconnect: seconds", WITHIN, max(at for *_, at in moved)),
        Target("reconnect: share of one survivor", EVEN, max(where.values()) / count),
        Target("reconnect: processes wrong at the end", 0, off),
        Target("reconnect: processes counted too often", 0, most - count),
    ]


# What both share.


def shares(count: int, among: int) -> list[int]:
    """So many, shared as evenly as they can be."""
    return [count // among + (number < count % among) for number in range(among)]


def counts(frame: Mapping[str, Any]) -> tuple[int, int]:
    """Processes of a frame, and how many of them are stale."""
    return frame["head"]["processes"]["current"], frame["head"]["stale"]


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_traffic(key: str) -> bool:
    return key.startswith(("bytes_", "messages_"))


def allow_files() -> None:
    """Let this process's children have enough open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounded = hard != resource.RLIM_INFINITY
    wanted = min(DESCRIPTORS, hard) if bounded else DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cases(nodes: int, clients: Sequence[int]) -> dict[str, list[int]]:
    """By name, how many clients there are at each node."""
    made = {f"{nodes} nodes, idle": [0] * nodes}
    for count in clients:
        made[f"{nodes} nodes, {count:,}"] = shares(count, nodes)
    return made


def alone(nodes: int) -> str:
    """The case in which one node has all the clients."""
    return f"{nodes} nodes, {SKEWED:,} at node1"


def marginal(fewer: Mapping[str, Any], more: Mapping[str, Any]) -> float:
    """Seconds of CPU of the mean node for each change that there is more."""
    changes = sum(more["changes"].values()) - sum(fewer["changes"].values())
    return (_cpu_of_one(more) - _cpu_of_one(fewer)) / float(changes)


def costs(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a change costs the node that hears it, one that is told, and any node."""
    texts = []
    name = alone(NODES[0])
    if name in found:
        heard, told = shares_of_cost(found[name], idle_of(name, found))
        texts.append(
            f"{name}: a change costs the node that hears it, and tells two others, "
            f"{heard * 1e6:.0f} us of CPU, and one that is told {told * 1e6:.0f} us."
        )
    for nodes in NODES:
        spread = [case for case in cases(nodes, CLIENTS) if case in found][1:]
        steps = [
            f"{marginal(found[fewer], found[more]) * 1e6:.0f} us ({fewer} to {more})"
            for fewer, more in pairwise(spread)
        ]
        if steps:
            texts.append(
                f"CPU of a node for each further change, of which it hears one in "
                f"{nodes} and is told the others: {', '.join(steps)}."
            )
    return texts


def steady_targets(found: Mapping[str, Mapping[str, Any]]) -> list[Target]:
    """What a steady pace is held to: each change crosses once, at the same price.

    How often is told by the busiest case: the less there is to tell, the more of it is
    what boxes are made of.
    """
    busy = [
        (sum(each["changes"].values()), (each, idle_of(case, found)))
        for case, each in found.items()
        if each["changes"]
    ]
    prices = [each_change(*pair) for _, pair in busy]
    most = max(changes for changes, _ in busy)
    times = [crossed(*pair) for changes, pair in busy if changes > most / 2]
    return [
        Target("bytes a change, most of least", FLAT, max(prices) / min(prices)),
        Target("a change crosses a link, times", ONCE, max(times)),
    ]


def idle_of(case: str, found: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The same cluster without clients."""
    return found[case.partition(",")[0] + ", idle"]


def main() -> None:
    """Measure, and publish."""
    parser = results.parser(__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="how long to count")
    parser.add_argument(
        "--clients", help="numbers of clients, separated by commas", type=_numbers
    )
    parser.add_argument(
        "--nodes", help="numbers of nodes, likewise", type=_numbers, default=NODES
    )
    parser.add_argument("--moved", type=int, help="how many clients lose their node")
    given = parser.parse_args()
    allow_files()
    seconds = given.seconds or (4.0 if given.quick else 20.0)
    clients = given.clients or ([30] if given.quick else CLIENTS)
    placed = {
        name: each
        for count in given.nodes
        for name, each in cases(count, clients).items()
    }
    if SKEWED in clients and NODES[0] in given.nodes:
        placed[alone(NODES[0])] = [SKEWED] + [0] * (NODES[0] - 1)
    found = {}
    for name, each in placed.items():
        print(name, flush=True)
        found[name] = steady(len(each), each, seconds)
    print("reconnect", flush=True)
    lost = reconnect(given.moved or (200 if given.quick else MOVED), seconds / 3)
    rows = [row(name, each, idle_of(name, found)) for name, each in found.items()]
    results.publish(
        "mesh",
        given,
        HEADER,
        rows,
        {"steady": found, "reconnect": lost},
        targets=[*steady_targets(found), *reconnected(lost)],
        notes=[*costs(found), *summary(lost)],
        more=[(RECONNECT, bins(lost["moved"]))],
    )


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
