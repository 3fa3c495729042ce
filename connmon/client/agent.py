"""What connmon does in this process: the composition root of the application side.

``HERE`` is the one piece of state this side has: the reporting thread, and an agent for
each destination that engines report to. Threads of the application come in through a
ledger's ``wake``; they never wait here. A fork gives the child empty ledgers and, when
it first uses a database, a thread of its own.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from _thread import get_ident
from contextlib import suppress

from connmon.client import native
from connmon.client.link import Destination, Uplink
from connmon.client.loop import Loop
from connmon.model.ledger import Ledger
from connmon.model.records import Identity
from connmon.wire.commands import NAME_LIMIT

FLUSH_SECONDS = 0.4
"""How long a process that ends waits for its last report to be taken."""

END_SECONDS = 0.1
"""How long it then waits for the thread."""

FORK_SECONDS = 1.0
"""How long a fork waits for another thread's fork."""

PARK_SECONDS = 0.05
"""How long a fork waits for the thread to step aside."""

_log = logging.getLogger("connmon")


class Agent:
    """One destination's ledger, and its uplink once there is something to tell."""

    def __init__(self, here: Here, destination: Destination) -> None:
        """Begin with an empty ledger and no uplink."""
        self._here = here
        self.destination = destination
        self.uplink: Uplink | None = None
        self.ledger = Ledger(self._wake)

    def renew(self) -> None:
        """In a forked child: begin again, leaving the parent's ledger alone."""
        self.ledger.unwatch()
        self.uplink = None
        self.ledger = Ledger(self._wake)

    def identity(self) -> Identity:
        """Who this process is to this destination: a new token for each agent."""
        return Identity(
            os.urandom(12).hex(),
            os.uname().nodename[:NAME_LIMIT],
            self.destination.program[:NAME_LIMIT],
            os.getpid(),
        )

    def _wake(self) -> bool:
        return self._here.wake(self)


class Here:
    """This process: its thread, its agents, its forks and its end."""

    def __init__(self) -> None:
        """Begin with nothing; hooks are set by the first agent."""
        self._hooked = False
        self._agents: dict[Destination, Agent] = {}
        self._begin()

    def _begin(self) -> None:
        """Know this process as it is now, before anything was started in it."""
        self.pid = os.getpid()
        self._loop: Loop | None = None
        self._native = native.find()
        self._starting = self._native.allocate_lock()
        self._forking = self._native.allocate_lock()
        self._forking_thread: int | None = None
        self._over = False

    def agent(self, destination: Destination) -> Agent:
        """The agent for a destination. A thread that makes an engine."""
        if not self._hooked:
            self._hooked = True
            atexit.register(self.leave)
            os.register_at_fork(
                before=self.before_fork,
                after_in_parent=self.forked_parent,
                after_in_child=self.forked_child,
            )
        if destination not in self._agents:
            self._agents.setdefault(destination, Agent(self, destination))
        return self._agents[destination]

    def wake(self, agent: Agent) -> bool:
        """An agent's ledger changed; whether it was heard. Any thread, never waits."""
        if os.getpid() != self.pid:
            return False
        uplink, loop = agent.uplink, self._loop
        if uplink is None or loop is None:
            return self._start(agent)
        loop.call(uplink.stirred)
        return True

    def _start(self, agent: Agent) -> bool:
        """Give an agent its uplink, and the process its thread."""
        if self._over or _will_fork_unseen():
            agent.ledger.unwatch()
            return True
        if not self._starting.acquire(False):
            return False
        try:
            if agent.uplink is None:
                self._start_uplink(agent)
        except Exception as error:
            self._give_up(error)
        finally:
            self._starting.release()
        return True

    def _start_uplink(self, agent: Agent) -> None:
        # Looked up anew: the program may have been patched since.
        self._native = native.find()
        loop = self._loop
        if loop is None:
            loop = Loop(self._native)
        uplink = Uplink(
            loop.reactor,
            self._native,
            agent.ledger,
            agent.identity(),
            agent.destination,
        )
        loop.call(uplink.begin)
        if self._loop is None:
            loop.start()
            self._loop = loop
        agent.uplink = uplink

    def _give_up(self, error: Exception) -> None:
        """We cannot work here: say so once, and stay out of the way from now on."""
        self._over = True
        for agent in list(self._agents.values()):
            agent.ledger.unwatch()
        _log.warning("connmon cannot report from this process: %r", error)

    # Forks.

    def before_fork(self) -> None:
        """Have the thread step aside, so that it is not in the middle of anything."""
        with suppress(Exception):
            loop = self._loop
            if loop is None or self._over or self.pid != os.getpid():
                return
            if self._forking.acquire(True, FORK_SECONDS):
                # Noted first: a signal handler of the host's may raise in the middle.
                self._forking_thread = get_ident()
                loop.end(PARK_SECONDS)

    def forked_parent(self) -> None:
        """Let the thread go on."""
        if self._forking_thread != get_ident():
            return
        try:
            self._go_on()
        except Exception:
            # A signal handler of the host's raised in the middle: once more.
            self._go_on()
        finally:
            self._forking_thread = None
            self._forking.release()

    def _go_on(self) -> None:
        """Have the thread run again, or do without where the system gives none."""
        try:
            if self._loop is not None:
                self._loop.start()
        except RuntimeError as error:
            self._give_up(error)

    def forked_child(self) -> None:
        """Be a new process: nothing of the parent's link or ledgers is ours."""
        with suppress(Exception):
            inherited = self._loop
            self._begin()
            for agent in list(self._agents.values()):
                agent.renew()
            if inherited is not None:
                inherited.abandon()

    # The end.

    def leave(self) -> None:
        """Tell what is left, stop the thread and wait for it; all within a bound."""
        with suppress(Exception):
            loop, self._over = self._loop, True
            if loop is None or self.pid != os.getpid():
                return
            until = time.monotonic() + FLUSH_SECONDS
            for agent in list(self._agents.values()):
                self._flush(agent, loop, until)
            loop.end(END_SECONDS)
            for agent in list(self._agents.values()):
                agent.ledger.unwatch()

    def _flush(self, agent: Agent, loop: Loop, until: float) -> None:
        if agent.uplink is None:
            return
        finished = self._native.allocate_lock()
        finished.acquire()

        def finish() -> None:
            with suppress(RuntimeError):
                finished.release()

        loop.call(agent.uplink.finish, finish)
        finished.acquire(True, max(until - time.monotonic(), 0.0))


def _will_fork_unseen() -> bool:
    """Whether this is a uWSGI master: it forks in C, and a thread breaks workers."""
    if "uwsgi" not in sys.modules and "uwsgi" not in sys.builtin_module_names:
        return False
    import uwsgi

    return bool(uwsgi.worker_id() == 0 and uwsgi.mule_id() == 0)


HERE = Here()
