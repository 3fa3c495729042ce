"""How programs end with us inside: as they do without us, and no later.

Times are taken by the program itself: a parent that has imported everything forks a
child for each ending, and waits for it; the child has told the time at its last
statement. The same program on an unwatched URL is the control.
"""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Sequence
from typing import Any

from tests.hosts.programs import HostTestCase
from tests.whole.servers import free_port

DAEMONS = """
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
wait_for(lambda: worked > 5)
"""

LATE = """
main = threading.current_thread()

def late():
    main.join()
    use(engine)

threading.Thread(target=late).start()
"""

#: How programs end: what they do first, and their last statement.
ENDINGS = {
    "the last line": ("", "pass"),
    "sys.exit": ("", "sys.exit()"),
    "an exit status": ("", "sys.exit(3)"),
    "os._exit": ("", "os._exit(0)"),
    "SIGTERM": ("", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)"),
    "a handled SIGTERM": (
        "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(4))",
        "os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
    ),
    "SIGINT": ("", "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"),
    "an exception": ("", "raise ValueError('unhandled')"),
    "connections held": ("held = hold(engine, 5)", "pass"),
    "daemon threads": (DAEMONS, "pass"),
    "a thread that goes on": (LATE, "pass"),
}

#: What all have in common.
BEGINNING = """
worked = 0

def work():
    global worked
    while True:
        use(engine)
        worked += 1
        time.sleep(0.001)

def linked():
    # Whether a TCP connection of ours reaches the node.
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as found:
                if found.getpeername()[1:2] == (PORT,):
                    return True
        except OSError:
            pass
    return False
"""

#: One child for each ending in turn, several times over.
TIMED = """
import gc, json, socket, struct
PORT = int(os.environ["HOST_PORT"])
NODE = int(os.environ["HOST_NODE"])
WAIT = os.environ["HOST_WAIT"]
ENDINGS = json.loads(os.environ["HOST_ENDINGS"])
{beginning}
make()
# Children would collect what the parent has made: that is not the end of a program.
gc.collect()
gc.freeze()
times = {{}}
for name, (first, last) in [*ENDINGS.items()] * int(os.environ["HOST_TIMES"]):
    outlet, inlet = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(outlet)
        break
    os.close(inlet)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    ended = time.monotonic()
    os.waitpid(child, 0)
    if NODE and WAIT == "stop":
        os.kill(NODE, signal.SIGCONT)
    (began,) = struct.unpack("d", os.read(outlet, 8))
    os.close(outlet)
    times.setdefault(name, []).append(ended - began)

if child:
    tell("times", times)
else:
    # Tracebacks are the test's affair, elsewhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    engine = make()
    use(engine)
    if WAIT:
        wait_for(linked)
        # The node answers meanwhile, if it does.
        time.sleep(0.02)
    exec(first)
    if NODE and WAIT == "stop":
        os.kill(NODE, signal.SIGSTOP)
        use(engine)
    code = compile(last, name, "exec")
    os.write(inlet, struct.pack("d", time.monotonic()))
    exec(code)
"""

#: One ending of a program that is started for it.
WHOLE = """
import socket
PORT = int(os.environ["HOST_PORT"])
{beginning}
import atexit
@atexit.register
def compare():
    tell("changed", changed(before))

before = state()
engine = make()
use(engine)
if PORT:
    wait_for(linked)
{first}
del before["signals"], before["threads"]
tell("last", time.monotonic())
{last}
"""


class ExitTests(HostTestCase):
    """Every ending, with the node in every condition."""

    def timed(
        self,
        url: str,
        endings: Sequence[str],
        times: int = 5,
        wait: str = "",
        by: Sequence[str] = (),
    ) -> dict[str, float]:
        """The median time that each ending takes, in seconds."""
        node = getattr(self, "node", None)
        program = self.start(
            TIMED.format(beginning=BEGINNING),
            url,
            flags=(),
            by=by,
            env={
                "HOST_ENDINGS": json.dumps({name: ENDINGS[name] for name in endings}),
                "HOST_TIMES": str(times),
                "HOST_WAIT": wait,
                "HOST_NODE": str(node.pid if node else 0),
                "HOST_PORT": str(node.port if node else 0),
            },
        )
        program.told("times", within=120.0)
        self.ends_well(program)
        found = program.value("times")
        return {name: statistics.median(each) for name, each in found.items()}

    def delayed(self, bound: float, url: str, times: int = 5, **options: Any) -> None:
        """No ending is delayed by more than ``bound`` seconds.

        The machine may be busy: what seems to be late is measured again, twice.
        """
        late = list(ENDINGS)
        delays: dict[str, float] = {}
        for _ in range(3):
            bare = self.timed(f"sqlite:///{self.directory}/x.db", late, times)
            ours = self.timed(url, late, times, **options)
            delays = {name: ours[name] - bare[name] for name in late}
            late = [name for name in late if delays[name] > bound]
            if not late:
                return
        self.fail(f"delayed by more than {bound} seconds: {delays}")

    def test_node_up(self) -> None:
        """With a link that is just being made."""
        self.start_node()
        self.delayed(0.1, self.watched())

    def test_node_up_and_linked(self) -> None:
        """With a link that was made."""
        self.start_node()
        self.delayed(0.1, self.watched(), wait="linked")

    def test_node_down(self) -> None:
        """With nobody listening."""
        self.delayed(0.1, self.watched(f"127.0.0.1:{free_port()}"))

    def test_node_stopped(self) -> None:
        """With a node that was stopped before: the kernel accepts, nobody answers."""
        self.start_node()
        self.node.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.node.process.send_signal, signal.SIGCONT)
        self.delayed(0.5, self.watched(), times=3, wait="linked")

    def test_node_stopped_while_linked(self) -> None:
        """With a node that is stopped when it knows the process already."""
        self.start_node()
        self.addCleanup(self.node.process.send_signal, signal.SIGCONT)
        self.delayed(0.5, self.watched(), times=3, wait="stop")

    def test_name_server_silent(self) -> None:
        """With a name for the node, and nobody to resolve it."""
        behind = self.behind_silence()
        self.delayed(0.5, self.watched("node.example:30000"), times=3, by=behind)

    def cold(self, url: str) -> float:
        """The seconds that a program's end takes, with all it has imported itself."""
        program = self.start(
            "engine = make(); use(engine, 5)\ntell('last', time.monotonic())",
            url,
            flags=(),
        )
        self.assertEqual(0, program.wait())
        return time.monotonic() - float(program.value("last"))

    def test_programs_of_their_own(self) -> None:
        """What the interpreter has more to clear away counts, too.

        Where the machine is so busy that the program's own end takes longer than the
        bound, ours may double it.
        """
        self.start_node()
        urls = [
            f"sqlite:///{self.directory}/x.db",
            self.watched(),
            self.watched(f"127.0.0.1:{free_port()}"),
        ]
        found: list[float] = []
        for _ in range(3):
            runs = [[self.cold(url) for url in urls] for _ in range(5)]
            found = [statistics.median(each) for each in zip(*runs, strict=True)]
            if max(found) < found[0] + max(0.1, found[0]):
                return
        self.fail(f"unwatched, node up, node down: {found}")

    def whole(self, name: str, url: str) -> tuple[int, list[str], list[str]]:
        """Run a program to this ending: its status, and all it said."""
        first, last = ENDINGS[name]
        script = WHOLE.format(beginning=BEGINNING, first=first, last=last)
        port = str(self.node.port if "connmon" in url else 0)
        program = self.start(script, url, env={"HOST_PORT": port})
        status, out, err = program.leaves()
        if name not in ("os._exit", "SIGTERM"):
            self.assertEqual({}, program.value("changed"), name)
        directory = str(program.directory)
        return status, out, [line.replace(directory, "") for line in err]

    def test_endings_are_what_they_are_without_us(self) -> None:
        """The same status and the same words; nothing of the host's has changed."""
        self.start_node()
        for name in ENDINGS:
            bare = self.whole(name, f"sqlite:///{self.directory}/x.db")
            self.assertEqual(bare, self.whole(name, self.watched()), name)
