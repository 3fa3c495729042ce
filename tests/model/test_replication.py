"""Nodes that tell each other, at random: whatever happens, all come to agree.

The nodes here are real boards, journals and rules of what to tell a peer; the processes
have real ledgers; every word goes through its codec. Only transports and timers are
played. What was lost, cut, killed or asleep is mended in the end, and then all boards
have to agree with each other and with the processes.

Broken by hand, each of these made the property fail: a delta applied without a look at
its base; records adopted with an older standing; live before gone, or lost not undone,
at the same version; a moved process's counters counted again; its home left as it was;
a gone process told at a registration in which it said nothing; digests that leave third
homes out, or states; what is wanted whole not told; homes never given up; a home heard
now whenever anyone heard it; tombstones that keep their connections; maxima not told,
or the last told taken. These made examples fail only: a node that wakes and believes
what it heard before; old live records offered or adopted; a delta taken on top of a
lost record; processes kept that their home disowns; a node's own processes asked for or
adopted from others; what others heard of a home left out; a departed process's record
taken for a word of its home.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.peering import (
    PassedOn,
    Peering,
    Say,
    SayAlive,
    SayDeltas,
    SayDigest,
    SayRecords,
    SayRemarks,
    SaySums,
    SayVersions,
)
from connmon.model.board import Board, Verdict
from connmon.model.connection import Connection
from connmon.model.exchange import Alive, Digest, Listener, SumsTold, Versions
from connmon.model.figures import of_process, of_several
from connmon.model.holding import REPEATED, Waiter
from connmon.model.journal import Journal
from connmon.model.ledger import Ledger
from connmon.model.records import (
    GONE,
    LIVE,
    LOST,
    OUT,
    Counters,
    Home,
    Identity,
    Incident,
    Maxima,
    PoolFacts,
    Record,
    Report,
    Standing,
)
from connmon.model.sums import BUCKETS
from connmon.wire import exchange
from connmon.wire.reports import decode_report, encode_report
from tests.looks import ProgramRow, look
from tests.model.marks import give, take

NAMES = ("A", "B", "C")
STALE_AFTER = 20.0
SLEPT_SECONDS = 5.0
SWEEP_SECONDS = 5.0
SILENCE_SECONDS = 10.0
HOUR = 3600.0
HOST = "h1"
WORK = ("take", "give", "close", "wait", "serve", "time out")

Pair = tuple[str, str]
PAIRS = [(a, b) for a in NAMES for b in NAMES if a != b]


class Client:
    """A process with a real ledger, and its view of its link to a node."""

    def __init__(self, token: str, program: str, now: float) -> None:
        """It never linked itself anywhere."""
        self.identity = Identity(token, HOST, program, 1)
        self.ledger = Ledger(began=now)
        self.pool = self.ledger.pool("x", PoolFacts("x", "QueuePool", 5, 10))
        self.open: list[Connection] = []
        self.node: Node | None = None
        self.registration = 0
        #: The last report that was answered, and what was open and out then.
        self.told: Report | None = None
        self.load = (0, 0)
        #: Who waits; how many did and which incidents there were at the last answer.
        self.line: list[Waiter] = []
        self.waiting = 0
        self.incidents: list[Incident] = []
        self._incidents: dict[int, Incident] = {}
        self._sequence = -1
        self._whole = True

    @property
    def token(self) -> str:
        """What it is known by."""
        return self.identity.process

    def works(self, what: str, now: float) -> None:
        """Take a connection, give one back, or close one; wait, or do so in vain."""
        if what in ("wait", "serve", "time out"):
            self._waits(what, now)
        elif what == "take":
            connection = self.ledger.opened(self.pool, now)
            take(connection, now)
            self.open.append(connection)
        elif self.open:
            connection = self.open[0]
            give(connection, now)
            if what == "close":
                self.ledger.closed(self.open.pop(0), now)

    def _waits(self, what: str, now: float) -> None:
        """Someone begins to wait, or the one who has for longest is done with it."""
        if what == "wait" or not self.line:
            self.line.append(Waiter("me", now, f"a.py:{len(self.line)} waits"))
            self.pool.awaited(self.line[-1])
        if what != "wait":
            waiter = self.line.pop(0)
            self.pool.served(waiter, now)
            if what == "time out":
                self.pool.timed_out(waiter, now)

    def linked(self, node: Node) -> None:
        """It has a new link, and will say everything."""
        self.node = node
        self.registration += 1
        self.told = None
        self._sequence, self._whole = -1, True

    def report(self, now: float) -> Report:
        """What it says next."""
        self._sequence += 1
        make = self.ledger.whole if self._whole else self.ledger.collect
        self._whole = False
        report = make(self._sequence, now, 1.0)
        self._incidents.update((each.number, each) for each in report.incidents)
        return report

    def answered(self, report: Report, verdict: Verdict) -> None:
        """What it makes of the answer, as the client's rule does."""
        self._whole = verdict is Verdict.WHOLE_WANTED
        if verdict is Verdict.APPLIED:
            out = sum(each.state == OUT for each in self.open)
            self.told, self.load = report, (len(self.open), out)
            self.waiting = len(self.line)
            self.incidents = list(self._incidents.values())[-REPEATED:]


@dataclass(frozen=True)
class Message:
    """Something said over a line, as bytes."""

    teller: Home
    say: Say
    payload: bytes
    asked: float


@dataclass(eq=False)
class Line:
    """A link that one node opened to another, and what is under way on it."""

    teller: Node
    hearer: Node
    #: When something was heard over it last.
    heard: float
    #: When it broke, whether or not either end knows it.
    broken: float | None = None
    asked: deque[Message] = field(default_factory=deque)
    answers: deque[tuple[Message, bytes]] = field(default_factory=deque)

    def breaks(self, now: float) -> None:
        """Lose it, with all that is under way."""
        if self.broken is None:
            self.broken = now
        self.asked.clear()
        self.answers.clear()


class Node:
    """A running node: what it knows, whom it tells, and who tells it."""

    def __init__(self, name: str, incarnation: str, now: float) -> None:
        """It knows nothing."""
        self.name = name
        self.board = Board(
            "default", name, incarnation, now=now, stale_after=STALE_AFTER
        )
        self.home = self.board.home
        self.journal = Journal(name, incarnation)
        self.journal.note(f"node {name} started", now)
        self.rules = {each: Peering() for each in NAMES if each != name}
        #: The lines over which others tell it, as far as it knows.
        self.tellers: dict[Home, Line] = {}
        #: Links of processes that are closed, which it has not noticed.
        self.closing: list[tuple[str, int]] = []
        self.asleep: float | None = None
        #: All that it was ever told, to be told again.
        self.heard: list[Message] = []
        self._listener = Listener(self.board, self.journal)
        self._swept = now

    # Its processes.

    def changed(self, token: str, delta: PassedOn | None) -> None:
        """A process linked to it changed."""
        for each in self.rules.values():
            each.changed(token, delta)

    def notices(self, now: float) -> None:
        """Notice one link of a process that is closed."""
        token, registration = self.closing.pop(0)
        if self.board.departed(token, registration, now):
            self.changed(token, None)

    # The others.

    def sweep(self, now: float, *, must: bool = False) -> None:
        """Let go of what is old, now and then."""
        if must or now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            self.journal.expired(now)
            for home, count in self.board.expired(now):
                self.journal.note(f"gave up {count} of {home.node}", now)
        for home, line in list(self.tellers.items()):
            if now - line.heard > SILENCE_SECONDS:
                line.breaks(now)
                del self.tellers[home]

    def word(self, say: Say, now: float) -> bytes:  # noqa: PLR0911  one for each
        """What it says, as things are now."""
        board = self.board
        match say:
            case SayAlive():
                return exchange.encode_alive(Alive(board.homes.ages(now), 1, 2))
            case SayDigest():
                heads = self.journal.heads()
                digest = Digest(board.digests(), tuple(board.hashes()), heads)
                return exchange.encode_digest(digest)
            case SayVersions(home):
                return exchange.encode_versions(Versions(home, board.versions(home)))
            case SayRecords(processes):
                found = (board.record(each, now) for each in processes)
                return exchange.encode_records([each for each in found if each])
            case SayDeltas(deltas):
                return exchange.encode_deltas(
                    (each.process, each.registration, each.payload) for each in deltas
                )
            case SaySums(buckets):
                programs = tuple(board.program_sums(buckets, now))
                told = SumsTold(board.service_sums(now), programs)
                return exchange.encode_sums(told)
            case SayRemarks(heads):
                return exchange.encode_remarks(self.journal.beyond(heads, now))

    def hear(self, message: Message, now: float) -> bytes:
        """What it answers to what it is told."""
        teller, payload, listener = message.teller, message.payload, self._listener
        match message.say:
            case SayAlive():
                listener.alive(teller, exchange.decode_alive(payload), now)
            case SayDigest():
                digest = exchange.decode_digest(payload)
                return exchange.encode_differences(
                    listener.digest(teller, digest, self.tellers.keys())
                )
            case SayVersions():
                versions = exchange.decode_versions(payload)
                return exchange.encode_wanted(listener.versions(teller, versions, now))
            case SayRecords():
                listener.records(exchange.decode_records(payload), now)
            case SayDeltas():
                deltas = exchange.decode_deltas(payload)
                return exchange.encode_wanted(listener.deltas(teller, deltas, now))
            case SaySums():
                listener.sums(exchange.decode_sums(payload), now)
            case SayRemarks():
                listener.remarks(exchange.decode_remarks(payload), now)
        return b""

    def answered(self, line: Line, say: Say, answer: bytes, now: float) -> None:
        """It is answered."""
        rule = self.rules[line.hearer.name]
        match say:
            case SayDigest():
                rule.compared(exchange.decode_differences(answer), now)
            case SayVersions() | SayDeltas():
                rule.wanted(exchange.decode_wanted(answer), now)
            case _:
                rule.answered(now)
        if isinstance(say, SayAlive):
            self.board.homes.heard(line.hearer.home, now)

    # What it shows.

    def records(self) -> dict[str, Record]:
        """All that it remembers, asked as of long ago, so that none is too old."""
        found = {}
        for home in self.board.digests():
            for token in self.board.versions(home):
                record = self.board.record(token, 0.0)
                assert record is not None
                found[token] = record
        return found

    def rows(self, now: float) -> list[ProgramRow]:
        """The programs it shows, without rates and what is stale."""
        return [
            row._replace(ckoutpersec=None, stale=0, stale_seconds=None)
            for row in look(self.board, now).programs
        ]

    def shows(self, now: float) -> list[object]:
        """All that nodes have to agree on."""
        shown = look(self.board, now)
        return [
            {
                token: (
                    each.identity,
                    each.standing,
                    each.home,
                    each.report.counters,
                    each.report.maxima,
                    sorted(each.report.pools),
                    sorted(each.report.connections),
                    each.report.began,
                    each.report.waiting,
                    each.report.waiters,
                    [one._replace(at=0.0) for one in each.report.incidents],
                )
                for token, each in self.records().items()
            },
            self.rows(now),
            (shown.hosts, shown.processes, shown.connections, shown.checkouts),
            {
                row.progname: self.board.totals(row.hostname, row.progname)
                for row in shown.programs
            },
            {
                (each.origin, each.sequence, each.node, each.text)
                for each in self.journal.newest(now)
            },
        ]


class Network:
    """Three nodes, the lines between them, and the time."""

    def __init__(self) -> None:
        """All run, and no line was opened yet."""
        self.now = 1000.0
        self.nodes: dict[str, Node] = {}
        self.lines: dict[Pair, Line] = {}
        self.cuts: set[frozenset[str]] = set()
        self.clients: list[Client] = []
        self._starts = 0
        for name in NAMES:
            self.start(name)

    # Processes.

    def client(self, token: str, program: str = "api") -> Client:
        """A new process."""
        client = Client(token, program, self.now)
        self.clients.append(client)
        return client

    def link(self, client: Client, name: str) -> None:
        """A process links itself to a node; the old link's node does not know yet."""
        node = self.nodes.get(name)
        if node is None or node.asleep is not None:
            return
        self.unlink(client, noticed=False)
        client.linked(node)
        assert node.board.registered(client.identity, client.registration)

    def unlink(self, client: Client, *, noticed: bool = True) -> None:
        """A process's link ends; its node notices that at once or later."""
        node, client.node = client.node, None
        if node is None:
            return
        node.closing.append((client.token, client.registration))
        if noticed and node.asleep is None:
            while node.closing:
                node.notices(self.now)

    def report(self, client: Client, *, lost: bool = False) -> Verdict | None:
        """A process reports, unless it has no node that listens."""
        node = client.node
        if node is None or node.asleep is not None:
            return None
        report = client.report(self.now)
        payload = encode_report(report)
        if lost:
            return None
        token, registration = client.token, client.registration
        verdict = node.board.reported(
            token, registration, decode_report(payload), self.now
        )
        if verdict is Verdict.APPLIED:
            delta = PassedOn(token, registration, payload)
            node.changed(token, None if report.base is None else delta)
        client.answered(report, verdict)
        return verdict

    def live(self, client: Client, name: str, *what: str) -> None:
        """A process links itself to a node, works and reports."""
        self.link(client, name)
        for each in what:
            client.works(each, self.now)
        self.report(client)

    # Nodes.

    def start(self, name: str) -> None:
        """Start a node that is not running."""
        if name not in self.nodes:
            self._starts += 1
            self.nodes[name] = Node(name, f"{name}{self._starts}", self.now)

    def kill(self, name: str, *, noticed: bool = True) -> None:
        """Kill a node; links from it may be taken for open by others, for a while."""
        node = self.nodes.pop(name, None)
        if node is None:
            return
        for pair in [each for each in self.lines if name in each]:
            self.lose(*pair, noticed=noticed)
        for client in self.clients:
            if client.node is node:
                client.node = None

    def sleep(self, name: str) -> None:
        """Stop a node, as a suspended machine does."""
        node = self.nodes.get(name)
        if node is not None and node.asleep is None:
            node.asleep = self.now

    def wake(self, name: str) -> None:
        """Let it go on: if it slept for long, it believes nothing that is old."""
        node = self.nodes.get(name)
        if node is None or node.asleep is None:
            return
        slept, node.asleep = self.now - node.asleep, None
        if slept < SLEPT_SECONDS:
            return
        node.tellers.clear()
        for pair in [each for each in self.lines if name in each]:
            self.lose(*pair)
        node.sweep(self.now, must=True)

    # Lines.

    def awake(self, *names: str) -> bool:
        """Whether all these nodes run, and are awake."""
        return all(
            each in self.nodes and self.nodes[each].asleep is None for each in names
        )

    def connect(self, a: str, b: str) -> None:
        """Open a line, if there is none and one can be had."""
        if (a, b) in self.lines or not self.awake(a, b) or {a, b} in self.cuts:
            return
        teller, hearer = self.nodes[a], self.nodes[b]
        line = self.lines[a, b] = Line(teller, hearer, self.now)
        hearer.tellers[teller.home] = line
        hearer.board.homes.heard(teller.home, self.now)
        teller.rules[b].linked(self.now)
        self.look(a, b)

    def lose(self, a: str, b: str, *, noticed: bool = True) -> None:
        """The end that opened a line knows that it is lost; the other may not."""
        line = self.lines.pop((a, b), None)
        if line is None:
            return
        line.breaks(self.now)
        line.teller.rules[b].lost()
        if noticed and line.hearer.tellers.get(line.teller.home) is line:
            del line.hearer.tellers[line.teller.home]

    def cut(self, a: str, b: str) -> None:
        """Nothing gets through between two nodes; neither knows."""
        self.cuts.add(frozenset((a, b)))
        for pair in ((a, b), (b, a)):
            if pair in self.lines:
                self.lines[pair].breaks(self.now)

    def look(self, a: str, b: str) -> None:
        """Have a node say what is due on one line, or give that up."""
        line = self.lines.get((a, b))
        if line is None or not self.awake(a):
            return
        rule = line.teller.rules[b]
        if rule.overdue(self.now):
            self.lose(a, b, noticed=False)
            return
        for say in rule.next(self.now):
            payload = line.teller.word(say, self.now)
            if line.broken is None:
                line.asked.append(Message(line.teller.home, say, payload, self.now))

    def deliver(self, a: str, b: str) -> bool:
        """Deliver the next message on a line; whether there was one."""
        line = self.lines.get((a, b))
        if line is None or not line.asked or not self.awake(b):
            return False
        message = line.asked.popleft()
        line.heard = self.now
        line.hearer.board.homes.heard(message.teller, self.now)
        line.answers.append((message, line.hearer.hear(message, self.now)))
        line.hearer.heard.append(message)
        return True

    def answer(self, a: str, b: str) -> bool:
        """Deliver the next answer on a line; whether there was one."""
        line = self.lines.get((a, b))
        if line is None or not line.answers or not self.awake(a):
            return False
        message, answer = line.answers.popleft()
        line.teller.answered(line, message.say, answer, self.now)
        self.look(a, b)
        return True

    def settle(self) -> None:
        """Deliver all that is under way, and all that follows from it at once."""
        for _ in range(200):
            moved = [
                move(*pair)
                for pair in list(self.lines)
                for move in (self.deliver, self.answer)
            ]
            if not any(moved):
                return
            for pair in list(self.lines):
                self.look(*pair)
        raise AssertionError("there is no end to what nodes tell each other")

    # Time.

    def passes(self, seconds: float) -> None:
        """Let time pass, and nodes see to what is due."""
        self.now += seconds
        for node in self.nodes.values():
            if node.asleep is None:
                node.sweep(self.now)
        for pair in PAIRS:
            self.look(*pair)
            self.connect(*pair)

    def runs(self, seconds: float) -> None:
        """Let time pass in small steps, with all that is said delivered."""
        for _ in range(int(seconds * 2)):
            self.passes(0.5)
            self.settle()

    def hour(self) -> None:
        """Let an hour pass in which nothing happens but heartbeats."""
        self.runs(SILENCE_SECONDS + SWEEP_SECONDS)
        self.now += HOUR
        for node in self.nodes.values():
            while node.closing and node.asleep is None:
                node.notices(self.now)
        for _ in range(2):
            for pair, line in self.lines.items():
                if line.broken is None and self.awake(*pair):
                    line.heard = self.now
                    payload = line.teller.word(SayAlive(), self.now)
                    alive = Message(line.teller.home, SayAlive(), payload, self.now)
                    line.hearer.hear(alive, self.now)
        self.passes(0.0)
        self.settle()

    def heals(self) -> None:
        """Mend everything, and let time pass until all agree."""
        self.cuts.clear()
        for name in NAMES:
            self.wake(name)
        for node in self.nodes.values():
            while node.closing:
                node.notices(self.now)
        self.runs(STALE_AFTER + 2 * SILENCE_SECONDS)
        began = self.now
        for _ in range(20):
            self.runs(1.0)
            if self.agreed(began):
                return
        raise AssertionError("the nodes never agree")

    def agreed(self, since: float) -> bool:
        """Whether every running node has agreed with every other since then."""
        for a, b in PAIRS:
            if self.awake(a, b):
                when = self.nodes[a].rules[b].agreed
                if when is None or when < since:
                    return False
        return True


class Replication(RuleBasedStateMachine):
    """Random histories of three nodes and four processes of two programs."""

    slots = st.sampled_from([0, 1, 2, 3])
    names = st.sampled_from(NAMES)
    pairs = st.sampled_from(PAIRS)

    def __init__(self) -> None:
        """All nodes run; no process is linked."""
        super().__init__()
        self.net = Network()
        self.present = [self.born(slot) for slot in range(4)]
        self.hours = 0
        self.seen: dict[Node, dict[str, Counters]] = {}
        self.peaks: dict[Node, dict[str, tuple[int, ...]]] = {}

    def born(self, slot: int) -> Client:
        """A process, in the place of one that has died or never was."""
        number = len(self.net.clients)
        return self.net.client(f"p{slot}.{number}", "batch" if slot == 3 else "api")

    @initialize(at=st.lists(names, min_size=4, max_size=4), first=st.booleans())
    def begins(self, at: list[str], first: bool) -> None:
        """All processes link themselves, after the nodes have or before."""
        if first:
            self.net.runs(1.0)
        for slot, name in enumerate(at):
            self.net.live(self.present[slot], name, "take", "take")
        if not first:
            self.net.runs(1.0)

    # Processes.

    @rule(slot=slots, what=st.sampled_from(WORK))
    def works(self, slot: int, what: str) -> None:
        """A process does what it is for."""
        self.present[slot].works(what, self.net.now)

    @rule(slot=slots, name=names)
    def links(self, slot: int, name: str) -> None:
        """A process links itself to a node, which it may have left before."""
        self.net.link(self.present[slot], name)

    @rule(slot=slots, name=names, what=st.sampled_from(WORK))
    def lives(self, slot: int, name: str, what: str) -> None:
        """A process links itself to a node, works and reports."""
        self.net.live(self.present[slot], name, "take", what)

    @rule(slot=slots, lost=st.booleans(), works=st.booleans())
    def reports(self, slot: int, lost: bool, works: bool) -> None:
        """A process reports, perhaps to a node that does not take it."""
        if works:
            self.present[slot].works("take", self.net.now)
        verdict = self.net.report(self.present[slot], lost=lost)
        assert verdict is not Verdict.STALE

    @rule(slot=slots, noticed=st.booleans())
    def loses_its_link(self, slot: int, noticed: bool) -> None:
        """A process's link ends."""
        self.net.unlink(self.present[slot], noticed=noticed)

    @rule(slot=slots, noticed=st.booleans())
    def dies(self, slot: int, noticed: bool) -> None:
        """A process dies, and another takes its place."""
        self.net.unlink(self.present[slot], noticed=noticed)
        self.present[slot] = self.born(slot)

    @rule(name=names)
    def notices(self, name: str) -> None:
        """A node notices a link that ended before."""
        node = self.net.nodes.get(name)
        if node is not None and node.closing and node.asleep is None:
            node.notices(self.net.now)

    # Nodes.

    @rule(name=names, noticed=st.booleans(), for_long=st.booleans())
    def is_killed(self, name: str, noticed: bool, for_long: bool) -> None:
        """A node dies, and is started again at once unless another is down."""
        self.net.kill(name, noticed=noticed)
        if not for_long or len(self.net.nodes) < 2:
            self.net.start(name)

    @rule(name=names)
    def starts(self, name: str) -> None:
        """A node is started, if it does not run."""
        self.net.start(name)

    @rule(name=names, hour=st.booleans())
    def sleeps(self, name: str, hour: bool) -> None:
        """A node is stopped, perhaps for an hour."""
        self.net.sleep(name)
        if hour and self.hours < 8:
            self.hours += 1
            self.net.hour()

    @rule(name=names)
    def wakes(self, name: str) -> None:
        """A node that was stopped goes on."""
        self.net.wake(name)

    # Lines.

    @rule(pair=pairs, noticed=st.booleans())
    def loses_a_line(self, pair: Pair, noticed: bool) -> None:
        """A line is lost, with what was under way; it may be opened again at once."""
        self.net.lose(*pair, noticed=noticed)
        self.net.connect(*pair)

    @rule(pair=pairs)
    def is_cut(self, pair: Pair) -> None:
        """Two nodes do not reach each other any more."""
        self.net.cut(*pair)

    @rule(pair=pairs)
    def is_mended(self, pair: Pair) -> None:
        """Two nodes reach each other again."""
        self.net.cuts.discard(frozenset(pair))

    @rule(pair=pairs, asked=st.integers(0, 3), answers=st.integers(0, 3))
    def moves(self, pair: Pair, asked: int, answers: int) -> None:
        """Some of what is under way on one line arrives."""
        self.net.look(*pair)
        for _ in range(asked):
            self.net.deliver(*pair)
        for _ in range(answers):
            self.net.answer(*pair)

    @rule()
    def settles(self) -> None:
        """All that is under way arrives."""
        self.net.settle()

    @rule(name=names, data=st.data())
    def is_told_again(self, name: str, data: st.DataObject) -> None:
        """Something that a node was told, by whomever and when, it is told again."""
        node = self.net.nodes.get(name)
        if node is None or node.asleep is not None:
            return
        kinds = (SayRecords, SayDeltas, SaySums, SayRemarks, SayVersions)
        heard = [each for each in node.heard if isinstance(each.say, kinds)]
        if heard:
            node.hear(data.draw(st.sampled_from(heard)), self.net.now)

    # Time.

    @rule(seconds=st.sampled_from([0.1, 0.25, 1.0, 3.0, 10.0]), settled=st.booleans())
    def passes(self, seconds: float, settled: bool) -> None:
        """Time passes; what is under way may all arrive in it."""
        if settled:
            self.net.runs(seconds)
        else:
            self.net.passes(seconds)

    @rule()
    def quiet(self) -> None:
        """Nothing happens for longer than a node that is not heard is believed."""
        self.net.runs(STALE_AFTER + SWEEP_SECONDS)

    @rule(slot=slots, name=names)
    def deltas_are_lost(self, slot: int, name: str) -> None:
        """Reports are lost on their way to the others, and the next ones are not."""
        client, node = self.present[slot], self.net.nodes.get(name)
        if node is None or client.node is not node:
            return
        client.works("take", self.net.now)
        self.net.report(client)
        self.net.passes(0.25)
        for other in node.rules:
            self.net.lose(name, other)
            self.net.connect(name, other)
        client.works("give", self.net.now)
        self.net.report(client)

    # What always holds.

    @invariant()
    def sums_are_true(self) -> None:
        """Each sum is that of the processes in it, on every board."""
        for node in self.net.nodes.values():
            records = node.records()
            shown = look(node.board, self.net.now)
            live = [each for each in records.values() if each.standing.state == LIVE]
            assert shown.processes.current == len(live)
            assert shown.hosts.current == int(bool(live))
            for row in shown.programs:
                mine = [x for x in live if x.identity.program == row.progname]
                links = [link for x in mine for link in x.report.connections]
                out = [link for link in links if link.state == OUT]
                assert (row.nproc, row.conn, row.ckout) == (
                    len(mine),
                    len(links),
                    len(out),
                )
                assert row.connected is bool(mine)
            assert shown.connections.current == sum(x.conn for x in shown.programs)
            assert shown.checkouts.current == sum(x.ckout for x in shown.programs)

    @invariant()
    def programs_know_their_processes(self) -> None:
        """Those that are live, and what is read off them as they are now."""
        for node in self.net.nodes.values():
            live = {
                token: each for token, each in node.board.processes.items() if each.live
            }
            for row in look(node.board, self.net.now).programs:
                program = node.board.program(HOST, row.progname)
                assert program is not None
                mine = {
                    token: each
                    for token, each in live.items()
                    if each.identity.program == row.progname
                }
                assert program.live == mine
                assert program.figures == of_several(
                    of_process(
                        each.pools, each.connections.values(), each.offset, each.waiters
                    )
                    for each in mine.values()
                )
                assert program.waiting == sum(each.waiting for each in mine.values())
            all_ = sum(each.waiting for each in live.values())
            assert node.board.sums.service.waiting == all_

    @invariant()
    def incidents_are_kept(self) -> None:
        """Those of each process that is known, live or not, are in the black box."""
        for node in self.net.nodes.values():
            kept = {
                (each.identity.process, each.incident.number)
                for _, each in node.board.incidents(self.net.now)
            }
            for token, process in node.board.processes.items():
                numbers = [each.number for each in process.incidents]
                assert numbers == sorted(numbers)
                assert kept.issuperset((token, number) for number in numbers)

    @invariant()
    def totals_count_each_process_once(self) -> None:
        """A program's totals are those of its processes, and no process's shrink."""
        every = frozenset(range(BUCKETS))
        for node in self.net.nodes.values():
            records = node.records()
            for told in node.board.program_sums(every, self.net.now):
                expected = told.earlier
                for each in records.values():
                    if each.identity.program == told.progname:
                        expected = expected.plus(each.report.counters)
                assert expected == node.board.totals(HOST, told.progname)
            seen = self.seen.setdefault(node, {})
            for token, record in records.items():
                counters = record.report.counters
                before = seen.get(token, Counters())
                assert min(counters.minus(before)) >= 0, (token, before, counters)
                seen[token] = counters
            assert node.board.counters().keys() == records.keys()

    @invariant()
    def maxima_never_shrink(self) -> None:
        """The largest that a sum has been can only become larger."""
        for node in self.net.nodes.values():
            shown = look(node.board, self.net.now)
            gauges = (shown.hosts, shown.processes, shown.connections, shown.checkouts)
            found = {"": tuple(each.maximum for each in gauges)}
            for row in shown.programs:
                found[row.progname] = (row.maxnproc, row.maxconn, row.maxckout)
                assert row.maxconn >= row.conn
                assert row.maxckout >= row.ckout
            for name, peak in self.peaks.get(node, {}).items():
                assert all(a >= b for a, b in zip(found[name], peak, strict=True))
            self.peaks[node] = found

    # How it ends.

    def teardown(self) -> None:
        """Once all is mended and quiet, all boards agree, and on the truth."""
        net = self.net
        net.heals()
        nodes = list(net.nodes.values())
        for node in nodes:
            assert node.shows(net.now) == nodes[0].shows(net.now)
            assert look(node.board, net.now).stale == 0
            live = {
                token: each
                for token, each in node.records().items()
                if each.standing.state == LIVE
            }
            for client in net.clients:
                record = live.pop(client.token, None)
                self.is_true(client, record)
            assert not live

    def is_true(self, client: Client, record: Record | None) -> None:
        """What all boards say of a process is what it said last."""
        if client.node is None:
            assert record is None, record
        elif client.told is not None:
            assert record is not None, client.token
            assert record.home == client.node.home
            assert record.standing.registration == client.registration
            assert record.standing.sequence == client.told.sequence
            assert record.report.counters == client.told.counters
            out = sum(each.state == OUT for each in record.report.connections)
            assert (len(record.report.connections), out) == client.load
            assert record.report.waiting == client.waiting
            assert len(record.report.waiters) == client.waiting
            assert [each._replace(at=0.0) for each in record.report.incidents] == [
                each._replace(at=0.0) for each in client.incidents
            ]


class ReplicationPropertyTests(SynchronousTestCase):
    """Random histories."""

    def test_boards_agree_in_the_end_whatever_happens(self) -> None:
        """Sums are true at every moment, and all boards the same after all."""
        run_state_machine_as_test(
            Replication,
            settings=settings(max_examples=200, deadline=None),
        )


class ReplicationTests(SynchronousTestCase):
    """One fault after another, among three nodes that had agreed."""

    def setUp(self) -> None:
        """Three nodes that know each other, and one process linked to the first."""
        self.net = Network()
        self.net.runs(1.0)
        self.client = self.net.client("p1")
        self.net.live(self.client, "A", "take")
        self.net.runs(3.0)

    def test_a_timeout_before_a_process_and_its_node_died(self) -> None:
        """Who joins later hears of it as well, and when it was."""
        net = self.net
        net.live(self.client, "A", "take", "time out")
        net.runs(2.0)
        was = net.now - 2.0
        net.unlink(self.client)
        net.runs(5.0)
        net.kill("A")
        net.kill("C")
        net.runs(5.0)
        net.start("C")
        net.runs(15.0)
        for name in ("B", "C"):
            ((age, kept),) = net.nodes[name].board.incidents(net.now)
            self.assertEqual("p1", kept.identity.process)
            self.assertEqual("a.py:0 waits", kept.incident.victim.site)
            self.assertEqual(2, kept.incident.held)
            self.assertAlmostEqual(net.now - was, age, delta=1.0)

    def states(self, token: str = "p1") -> dict[str, int | None]:
        """In which state each running node has a process."""
        found = {}
        for name, node in self.net.nodes.items():
            record = node.records().get(token)
            found[name] = None if record is None else record.standing.state
        return found

    def all_are(self, state: int, token: str = "p1") -> None:
        """All running nodes have a process in this state."""
        self.assertEqual(dict.fromkeys(self.net.nodes, state), self.states(token))

    def checkouts(self) -> dict[str, int]:
        """How many connections are out, as each node shows it."""
        return {
            name: look(node.board, self.net.now).checkouts.current
            for name, node in self.net.nodes.items()
        }

    def handed(self, name: str, **other: object) -> Record:
        """What a node would hand over of the process, with some of it otherwise."""
        record = self.net.nodes[name].board.record("p1", self.net.now)
        assert record is not None
        return replace(record, **other)  # type: ignore[arg-type]

    def test_what_is_told_to_one_is_known_to_all(self) -> None:
        """Each node shows the process, at its home, with what it has open."""
        self.all_are(LIVE)
        self.assertEqual({"A": 1, "B": 1, "C": 1}, self.checkouts())

    def test_a_delta_lost_with_its_link_is_made_good(self) -> None:
        """The next one builds on it: where it is lacking, the whole is asked for."""
        self.client.works("take", self.net.now)
        self.net.report(self.client)
        self.net.passes(0.25)
        self.net.lines["A", "B"].breaks(self.net.now)
        self.net.lose("A", "B")
        self.net.settle()
        self.assertEqual({"A": 2, "B": 1, "C": 2}, self.checkouts())
        self.client.works("take", self.net.now)
        self.net.report(self.client)
        self.net.runs(1.0)
        self.assertEqual({"A": 3, "B": 3, "C": 3}, self.checkouts())

    def test_a_delta_that_builds_on_another_is_not_applied(self) -> None:
        """Nothing of it is taken; the record is wanted whole."""
        net, node = self.net, self.net.nodes["B"]
        delta = Report(7, 6, net.now, 1.0, Counters(99), Maxima(9, 9))
        verdict = node.board.followed(net.nodes["A"].home, "p1", 1, delta, net.now)
        self.assertIs(Verdict.WHOLE_WANTED, verdict)
        self.assertEqual(Counters(1, 0, 1), node.board.counters()["p1"])

    def test_processes_that_die_while_their_node_restarts_are_lost_in_time(
        self,
    ) -> None:
        """Nobody saw their end: they are counted until nobody heard their node."""
        other = self.net.client("p2")
        self.net.live(other, "A")
        self.net.runs(3.0)
        self.net.kill("A")
        self.net.start("A")
        self.net.live(other, "A")
        self.net.runs(STALE_AFTER - 5.0)
        self.all_are(LIVE)
        self.net.runs(5.0 + 2 * SWEEP_SECONDS)
        self.all_are(LOST)
        self.all_are(LIVE, "p2")
        self.assertEqual(
            self.net.nodes["A"].home, self.net.nodes["C"].records()["p2"].home
        )

    def test_a_node_that_slept_for_an_hour_believes_nothing_old(self) -> None:
        """Others gave its processes up; it gives up theirs, until it hears of them."""
        there = self.net.client("p2")
        self.net.live(there, "B")
        self.net.runs(3.0)
        self.net.sleep("A")
        self.net.hour()
        self.assertEqual({"A": LIVE, "B": LOST, "C": LOST}, self.states())
        self.net.wake("A")
        self.assertEqual({"A": LOST, "B": LIVE, "C": LIVE}, self.states("p2"))
        self.net.runs(3.0)
        self.all_are(LIVE)
        self.all_are(LIVE, "p2")

    def test_processes_that_left_a_sleeping_node_are_where_they_went(self) -> None:
        """Its old word of them is not believed, by others or by itself."""
        self.net.sleep("A")
        self.net.runs(5.0)
        self.net.live(self.client, "B", "take")
        self.net.hour()
        self.net.wake("A")
        self.net.runs(3.0)
        self.all_are(LIVE)
        self.assertEqual({"A": 2, "B": 2, "C": 2}, self.checkouts())
        home = self.net.nodes["A"].records()["p1"].home
        self.assertEqual(self.net.nodes["B"].home, home)

    def test_a_process_comes_back_after_its_link_was_declared_dead(self) -> None:
        """Gone by silence is gone everywhere, and undone by registering anew."""
        self.net.unlink(self.client)
        self.net.runs(3.0)
        self.all_are(GONE)
        self.assertEqual({"A": 0, "B": 0, "C": 0}, self.checkouts())
        self.net.live(self.client, "A", "take")
        self.net.runs(3.0)
        self.all_are(LIVE)
        self.assertEqual({"A": 2, "B": 2, "C": 2}, self.checkouts())
        for node in self.net.nodes.values():
            self.assertEqual(2, node.board.totals(HOST, "api").checkouts)

    def test_the_end_of_a_link_that_was_left_is_no_news(self) -> None:
        """The process is known to be elsewhere by then."""
        self.net.live(self.client, "B")
        self.net.runs(3.0)
        a = self.net.nodes["A"]
        self.assertEqual([("p1", 1)], a.closing)
        self.assertFalse(a.board.departed("p1", 1, self.net.now))
        self.all_are(LIVE)

    def test_a_third_node_tells_what_two_cannot_tell_each_other(self) -> None:
        """Where C reaches both A and B, they lose nothing of each other."""
        self.net.cut("A", "B")
        there = self.net.client("p2")
        self.net.live(there, "B", "take")
        self.client.works("take", self.net.now)
        self.net.report(self.client)
        self.net.runs(2 * STALE_AFTER)
        self.all_are(LIVE)
        self.all_are(LIVE, "p2")
        self.assertEqual({"A": 3, "B": 3, "C": 3}, self.checkouts())
        self.assertEqual(0, look(self.net.nodes["B"].board, self.net.now).stale)

    def test_a_record_that_is_too_old_is_neither_offered_nor_adopted(self) -> None:
        """Of a home that nobody heard for too long."""
        record = self.handed("B", unheard=STALE_AFTER + 1.0)
        fresh = Board("default", "D", "D1", stale_after=STALE_AFTER)
        self.assertFalse(fresh.adopted(record, self.net.now))
        self.assertEqual({}, fresh.counters())
        self.assertTrue(fresh.adopted(replace(record, unheard=1.0), self.net.now))
        later = self.net.now + STALE_AFTER
        self.assertIsNotNone(fresh.record("p1", later - 2.0))
        self.assertIsNone(fresh.record("p1", later))

    def test_a_departed_process_is_offered_as_long_as_it_is_remembered(self) -> None:
        """That its home is not heard any more does not matter then."""
        self.net.unlink(self.client)
        self.net.runs(3.0)
        self.net.kill("A")
        self.net.hour()
        self.net.start("A")
        self.net.runs(3.0)
        self.all_are(GONE)

    def test_gone_is_believed_before_live_at_the_same_version(self) -> None:
        """Only a higher registration undoes it, no higher sequence of a dead one."""
        live = self.handed("B")
        board = self.net.nodes["B"].board
        self.net.unlink(self.client)
        self.net.runs(3.0)
        self.all_are(GONE)
        self.assertFalse(board.adopted(live, self.net.now))
        self.all_are(GONE)
        again = replace(live, standing=Standing(2, 0, LIVE))
        self.assertTrue(board.adopted(again, self.net.now))
        self.assertEqual(LIVE, self.states()["B"])

    def test_lost_is_undone_by_live_at_the_same_version(self) -> None:
        """It was an assumption, and a node that hears the home knows better."""
        live = self.handed("B")
        board = self.net.nodes["B"].board
        board.disowned(live.home, [], self.net.now)
        self.assertEqual(LOST, self.states()["B"])
        self.assertEqual(0, self.checkouts()["B"])
        delta = Report(1, 0, self.net.now, 1.0, Counters(2, 0, 2), Maxima(2, 2))
        verdict = board.followed(live.home, "p1", 1, delta, self.net.now)
        self.assertIs(Verdict.WHOLE_WANTED, verdict)
        self.assertTrue(board.adopted(live, self.net.now))
        self.assertEqual(1, self.checkouts()["B"])
        self.assertEqual(Counters(1, 0, 1), board.totals(HOST, "api"))

    def test_gone_is_told_at_the_version_that_was_said(self) -> None:
        """A process that registers elsewhere, and ends unheard, takes nothing back.

        The node it came to last did not hear all that it had said before.
        """
        self.net.cut("A", "B")
        self.net.cut("A", "C")
        self.client.works("take", self.net.now)
        self.net.report(self.client)
        self.net.link(self.client, "B")
        self.net.unlink(self.client)
        self.net.heals()
        self.all_are(GONE)
        for node in self.net.nodes.values():
            self.assertEqual(2, node.board.totals(HOST, "api").checkouts)

    def test_a_departed_process_does_not_make_its_home_heard(self) -> None:
        """Its record is told long after, by nodes that know nothing of the home."""
        self.net.unlink(self.client)
        self.net.runs(3.0)
        self.net.kill("A")
        fresh = Board("default", "D", "D1", stale_after=STALE_AFTER)
        fresh.adopted(self.handed("B"), self.net.now)
        self.assertEqual({fresh.home: 0.0}, fresh.homes.ages(self.net.now))

    def test_gone_takes_nothing_back_that_was_said_elsewhere(self) -> None:
        """A process that comes back, and ends unheard, had more to say meanwhile."""
        self.net.cut("A", "B")
        self.net.cut("A", "C")
        self.net.live(self.client, "B", "take", "take")
        self.net.runs(5.0)
        self.net.link(self.client, "A")
        self.net.unlink(self.client)
        self.net.heals()
        self.all_are(GONE)
        for node in self.net.nodes.values():
            self.assertEqual(3, node.board.totals(HOST, "api").checkouts)

    def test_a_process_is_lost_if_its_home_does_not_know_it(self) -> None:
        """A home tells all it has, but only of itself that is the last word."""
        a, b, c = self.net.nodes.values()
        listed = exchange.encode_versions(Versions(a.home, {}))
        by_another = Message(c.home, SayVersions(a.home), listed, self.net.now)
        b.hear(by_another, self.net.now)
        self.assertEqual(LIVE, self.states()["B"])
        b.hear(replace(by_another, teller=a.home), self.net.now)
        self.assertEqual(LOST, self.states()["B"])

    def test_nobody_tells_a_node_of_its_own_processes(self) -> None:
        """It knows best, and neither asks for that nor takes it."""
        a, b, _ = self.net.nodes.values()
        record = self.handed("B")
        ahead = Standing(1, 9, GONE)
        told = replace(
            record, standing=ahead, report=replace(record.report, sequence=9)
        )
        records = Message(
            b.home, SayRecords(("p1",)), exchange.encode_records([told]), self.net.now
        )
        a.hear(records, self.net.now)
        self.assertEqual(LIVE, self.states()["A"])
        digest = exchange.encode_digest(Digest({a.home: (7, 7)}, (), {}))
        asked = Message(b.home, SayDigest(), digest, self.net.now)
        answer = exchange.decode_differences(a.hear(asked, self.net.now))
        self.assertEqual((), answer.homes)
        versions = exchange.encode_versions(Versions(a.home, {"p1": ahead}))
        listed = Message(b.home, SayVersions(a.home), versions, self.net.now)
        self.assertEqual([], exchange.decode_wanted(a.hear(listed, self.net.now)))
