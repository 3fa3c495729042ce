"""The tests' own network does to traffic what it says, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.whole import network, switch
from tests.whole.fleet import Lines, NotSeen, Running
from tests.whole.network import Host, Inside, Network
from tests.whole.servers import eventually

CHECKOUT = Path(__file__).parents[2]
WITHIN = 60.0

#: What a host of these tests can do: a TCP link to another, and datagrams.
PROGRAM = """
import hashlib, select, socket, threading, time
listener = socket.create_server(("", 7000))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("", 7000))
datagrams.settimeout(10)

def connect(address, within=10.0):
    global link
    link = socket.create_connection((address, 7000), within)

def accept():
    global link
    link, (caller, _) = listener.accept()
    link.settimeout(10)
    return caller

def receive(size):
    return take(size).decode()

def take(size):
    received = b""
    while len(received) < size:
        received += link.recv(size - len(received)) or end()
    return received

def end():
    raise EOFError("the link has ended")

def silent(which):
    return not select.select([which], [], [], 0)[0]

def send_much(data):
    threading.Thread(target=link.sendall, args=(data,)).start()

def failure(doing):
    try:
        doing()
    except OSError as error:
        return type(error).__name__

def echo(size):
    threading.Thread(target=lambda: link.sendall(take(size))).start()

def round_trip():
    began = time.monotonic()
    link.sendall(b"?")
    receive(1)
    return time.monotonic() - began
"""

#: Makes a network, starts a program in it, says where, and waits to be killed.
VICTIM = """
import sys
from tests.whole.network import Network
from tests.whole.fleet import Running
with Network("a", "b") as network:
    with Running(network["a"].command(["sleep", "600"])) as sleeper:
        print(network["a"].namespace, flush=True)
        print(network["b"].namespace, flush=True)
        sys.stdin.read()
"""


class NetworkCase(SynchronousTestCase):
    """A test that needs a network."""

    def setUp(self) -> None:
        """Skip where there can be none; what must be ended."""
        network.require()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def network(self, *names: str) -> Network:
        """A network of hosts of these names."""
        return self.stack.enter_context(Network(*names))

    def programs(self, *hosts: Host) -> list[Inside]:
        """The tests' program on each of these hosts."""
        return [self.stack.enter_context(Inside(host, PROGRAM)) for host in hosts]


class TrafficTests(NetworkCase):
    """Three hosts, with a link between the first two, and what becomes of packets."""

    def setUp(self) -> None:
        """The hosts, and their programs."""
        super().setUp()
        self.net = self.network("a", "b", "c")
        self.a, self.b, self.c = self.programs(*self.net.hosts.values())
        self.link(self.a, self.b, "b")

    def link(self, caller: Inside, called: Inside, name: str) -> None:
        """Have one program call the other."""
        caller.do(f"connect({self.net[name].address!r})")
        called.do("accept()")

    def passes(self, sender: Inside, receiver: Inside, text: str) -> None:
        """What one sends over the link reaches the other."""
        sender.do(f"link.sendall({text.encode()!r})")
        self.assertEqual(text, receiver.do(f"receive({len(text)})"))

    def lost(self, sender: str, receiver: str, more_than: int = 0) -> None:
        """Wait until more packets than these have been lost on this way."""
        lost = eventually(
            lambda: self.net.count(sender, receiver).lost > more_than, WITHIN
        )
        self.assertTrue(lost, f"nothing was lost from {sender} to {receiver}")

    def datagrams(self, sender: Inside, to: str, number: int) -> None:
        """Send datagrams, numbered from 0."""
        address = (self.net[to].address, 7000)
        sender.do(f"for i in range({number}): datagrams.sendto(b'%d' % i, {address!r})")

    def stream_arrives(self, size: int) -> None:
        """A long stream arrives whole over the link, in both directions."""
        data = bytes(range(256)) * (size // 256)
        whole = hashlib.sha256(data).hexdigest()
        for sender, receiver in ((self.a, self.b), (self.b, self.a)):
            sender.do(f"send_much(bytes(range(256)) * {size // 256})")
            receiver.do(f"got = take({size})")
            self.assertEqual(whole, receiver.do("hashlib.sha256(got).hexdigest()"))

    def test_hosts_reach_each_other(self) -> None:
        """Hosts have names and addresses of their own, and the caller's is seen."""
        self.assertEqual(
            ["a", "b", "c"],
            [each.do("socket.gethostname()") for each in (self.a, self.b, self.c)],
        )
        self.passes(self.a, self.b, "there")
        self.passes(self.b, self.a, "back")
        self.c.do(f"connect({self.net['a'].address!r})")
        self.assertEqual(self.net["c"].address, self.a.do("accept()"))

    def test_streams_arrive_whole(self) -> None:
        """The kernel leaves no checksum and no packet's cutting up to a card."""
        self.stream_arrives(1 << 20)

    def test_cut_is_silence_both_ways_and_heals(self) -> None:
        """Packets are lost, nobody is told, others are undisturbed; later they come."""
        self.net.cut("a", "b")
        self.a.do("link.sendall(b'there')")
        self.b.do("link.sendall(b'back!')")
        self.lost("a", "b")
        self.lost("b", "a")
        self.assertTrue(self.a.do("silent(link)"))
        self.assertTrue(self.b.do("silent(link)"))
        self.net.heal("a", "b")
        self.assertEqual("there", self.b.do("receive(5)"))
        self.assertEqual("back!", self.a.do("receive(5)"))

    def test_cut_leaves_others_alone(self) -> None:
        """Both hosts still reach the third."""
        self.net.cut("a", "b")
        for caller in (self.a, self.b):
            self.link(caller, self.c, "c")
            self.passes(caller, self.c, "there")

    def test_new_connections_meet_silence_too(self) -> None:
        """Where nobody listens one is refused; behind a cut one waits for nothing."""
        self.b.do("listener.close()")
        call = f"failure(lambda: connect({self.net['b'].address!r}, 0.3))"
        self.assertEqual("ConnectionRefusedError", self.a.do(call))
        self.net.cut("a", "b")
        self.assertEqual("TimeoutError", self.a.do(call))

    def test_cut_one_way(self) -> None:
        """Only what the first sends to the second is lost."""
        self.net.cut("a", "b", one_way=True)
        self.datagrams(self.a, "b", 1)
        self.datagrams(self.b, "a", 1)
        self.assertEqual("0", self.a.do("datagrams.recv(9).decode()"))
        self.lost("a", "b")
        self.assertTrue(self.b.do("silent(datagrams)"))

    def test_delay_delays_each_way(self) -> None:
        """A round trip takes twice as long at least, and half that the other way."""
        for one_way, least in ((False, 0.2), (True, 0.1)):
            self.net.heal_all()
            self.net.delay("a", "b", 0.1, one_way=one_way)
            self.b.do("echo(1)")
            took = self.a.do("round_trip()")
            self.assertGreaterEqual(took, least)
            self.assertLess(took, least + 5.0)

    def test_delayed_packets_stay_in_order(self) -> None:
        """None overtakes another."""
        self.net.delay("a", "b", 0.05)
        self.datagrams(self.a, "b", 50)
        came = self.b.do("[int(datagrams.recv(9)) for _ in range(50)]")
        self.assertEqual(list(range(50)), came)

    def test_cut_holds_for_packets_on_their_way(self) -> None:
        """What was delayed when the cable was cut does not arrive."""
        self.net.delay("a", "b", 0.1)
        self.datagrams(self.a, "b", 3)
        self.net.cut("a", "b")
        self.lost("a", "b", 2)
        self.assertTrue(self.b.do("silent(datagrams)"))

    def test_all_can_be_dropped(self) -> None:
        """With a fraction of 1 nothing arrives."""
        self.net.drop("a", "b", 1.0)
        self.datagrams(self.a, "b", 20)
        self.lost("a", "b", 19)
        self.assertTrue(self.b.do("silent(datagrams)"))

    def test_some_can_be_dropped(self) -> None:
        """With a fraction between some do arrive; and a stream whole."""
        self.net.drop("a", "b", 0.05)
        self.stream_arrives(1 << 17)
        before = self.net.count("a", "b")
        self.datagrams(self.a, "b", 500)
        self.lost("a", "b", before.lost)
        self.b.do("datagrams.recv(9)")

    def test_duplicates(self) -> None:
        """Each packet arrives twice; a stream is none the worse for it."""
        self.net.duplicate("a", "b", 1.0)
        self.datagrams(self.a, "b", 3)
        came = self.b.do("[int(datagrams.recv(9)) for _ in range(6)]")
        self.assertEqual([0, 0, 1, 1, 2, 2], came)
        self.net.duplicate("a", "b", 0.5)
        self.stream_arrives(1 << 18)

    def test_troubles_add_up(self) -> None:
        """Delayed, doubled and lossy at once; a stream arrives whole."""
        self.net.delay("a", "b", 0.005)
        self.net.duplicate("a", "b", 0.2)
        self.net.drop("a", "b", 0.02)
        self.stream_arrives(1 << 16)

    def test_isolated_host_reaches_nobody(self) -> None:
        """No other is heard or told, the others hear each other; and it rejoins."""
        self.link(self.c, self.b, "b")
        self.net.isolate("a")
        for name in "bc":
            self.datagrams(self.a, name, 1)
            self.lost("a", name)
        self.datagrams(self.c, "a", 1)
        self.lost("c", "a")
        self.assertTrue(self.a.do("silent(datagrams)"))
        self.passes(self.c, self.b, "there")
        self.net.rejoin("a")
        self.datagrams(self.c, "a", 1)
        self.assertEqual("0", self.a.do("datagrams.recv(9).decode()"))

    def test_heal_all_ends_all_trouble(self) -> None:
        """Whatever it was, between whomever."""
        self.net.isolate("a")
        self.net.delay("b", "c", 60.0)
        self.net.heal_all()
        self.passes(self.a, self.b, "there")
        self.link(self.b, self.c, "c")


class LifeTests(NetworkCase):
    """Networks begin and end, in good order and otherwise."""

    def inhabited(self, host: Host, process: Running) -> None:
        """Wait until a process runs on a host, as itself and alone."""
        there = eventually(
            lambda: switch.inhabitants(host.namespace) == {process.pid}, WITHIN
        )
        self.assertTrue(there, f"{process.pid} never came to {host.name}")

    def test_two_at_once(self) -> None:
        """Networks of the same names are strangers to one another."""
        one, other = self.network("a", "b"), self.network("a", "b")
        for each in (one, other):
            a, b = self.programs(each["a"], each["b"])
            a.do(f"connect({each['b'].address!r})")
            b.do("accept()")
        other.isolate("a")
        self.assertEqual(0, one.count("a", "b").lost)

    def test_failed_test_leaves_nothing(self) -> None:
        """What ran in it is killed, even if it was stopped, and its names are gone."""
        net = Network("a", "b")
        sleepers: list[Running] = []

        def failing() -> None:
            with net:
                command = net["a"].command(["sleep", "600"])
                sleepers.append(self.stack.enter_context(Running(command)))
                self.inhabited(net["a"], sleepers[0])
                sleepers[0].process.send_signal(signal.SIGSTOP)
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, failing)
        [sleeper] = sleepers
        self.assertEqual(-signal.SIGKILL, sleeper.wait(WITHIN))
        mine = {host.namespace for host in net.hosts.values()}
        self.assertEqual(set(), mine & set(switch.namespaces()))

    def test_killed_switch_leaves_nothing(self) -> None:
        """Then the test's own process cleans up; an order fails with a reason."""
        net = self.network("a", "b")
        assert net._switch is not None
        net._switch.process.kill()
        net._switch.wait()
        self.assertRaises((NotSeen, OSError), net.cut, "a", "b")
        net.close()
        mine = {host.namespace for host in net.hosts.values()}
        self.assertEqual(set(), mine & set(switch.namespaces()))

    def test_killed_run_leaves_nothing(self) -> None:
        """Nobody orders any more: the switch ends what there is."""
        victim = self.stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", VICTIM],
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self.stack.callback(victim.kill)
        assert victim.stdout is not None
        lines = Lines(victim.stdout)
        mine = {lines.until(lambda line: True) for _ in "ab"}
        self.assertEqual(mine, mine & set(switch.namespaces()))
        victim.kill()
        gone = eventually(lambda: not mine & set(switch.namespaces()), WITHIN)
        self.assertTrue(gone, f"{mine} are still there")

    def test_leftovers_are_removed(self) -> None:
        """Namespaces of a run whose process is no more are; a running one's are not."""
        with subprocess.Popen(["true"]) as ended:
            ended.wait()
        leftover = f"connmon-{ended.pid}-abcdef-a"
        switch.ip("netns", "add", leftover)
        self.addCleanup(switch.remove, leftover)
        net = self.network("a", "b")
        self.assertNotIn(leftover, switch.namespaces())
        network.remove_leftovers()
        self.assertIn(net["a"].namespace, switch.namespaces())


class RequirementTests(SynchronousTestCase):
    """What becomes of tests where there can be no network."""

    def test_skipped_with_the_reason(self) -> None:
        """A test is skipped, and says why."""
        error = self.assertRaises(SkipTest, network.require, "no root", {})
        self.assertEqual("no root", str(error))

    def test_failed_where_required(self) -> None:
        """Unless the environment wants it tested."""
        environ = {"CONNMON_REQUIRE_SERVERS": "1"}
        error = self.assertRaises(AssertionError, network.require, "no root", environ)
        self.assertIn("no root", str(error))

    def test_goes_on_where_there_can_be_one(self) -> None:
        """No reason against it is no obstacle."""
        network.require("", {"CONNMON_REQUIRE_SERVERS": "1"})
