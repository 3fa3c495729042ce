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
from importlib import import_module
from typing import Any

from connmon.client import log, native, options, tree
from connmon.client.link import Destination, Uplink
from connmon.client.loop import Loop
from connmon.client.owner import owner_end, owner_name
from connmon.client.sites import described
from connmon.model.ledger import Ledger
from connmon.model.records import Identity
from connmon.wire.commands import NAME_LIMIT

FLUSH_SECONDS = 0.3
"""How long a process that ends waits for its last report to be taken."""

TREE_SECONDS = 5.0
"""The same, where ``connmon run`` started the program: it wants to miss nothing."""

TREE_NOTICES = 5_000
"""How many notices are kept there until they are told, for the same reason."""

END_SECONDS = 0.1
"""How long it then waits for the thread."""

FORK_SECONDS = 1.0
"""How long the thread stands aside at most, however many threads fork."""

PARK_SECONDS = 0.05
"""How long a fork waits for the thread to step aside."""

ATTEMPTS = 3
"""How often the thread is tried to be started, before this is no place to work in."""

LAST = -1000
"""After all finalizers of a ``multiprocessing`` child, which may use a database."""

_log = logging.getLogger("connmon")


class Agent:
    """One destination's ledger, and its uplink once there is something to tell."""

    def __init__(self, here: Here, destination: Destination) -> None:
        """Begin with an empty ledger and no uplink."""
        self._here = here
        self.destination = destination
        self._begin()

    def _begin(self) -> None:
        self.ledger = Ledger(
            self._wake, owner_name, time.monotonic(), described, owner_end
        )
        if options.in_tree(os.environ):
            self.ledger.keep_notices(TREE_NOTICES)
        self._uplinks: list[Uplink] = []
        self._begun = False
        self.pid = os.getpid()

    @property
    def uplink(self) -> Uplink | None:
        """The way to the nodes, once there is something to tell."""
        return self._uplinks[0] if self._uplinks else None

    def link_up(self, uplink: Uplink) -> None:
        """Have an uplink. Should two threads bring one each, the first counts."""
        self._uplinks.append(uplink)

    def renew(self) -> None:
        """In a forked child: begin again, leaving the parent's ledger alone."""
        if self.pid != os.getpid():
            self.ledger.unwatch(for_good=False)
            self._begin()

    def identity(self) -> Identity:
        """Who this process is to this destination: a new token for each agent."""
        return Identity(
            os.urandom(12).hex(),
            os.uname().nodename[:NAME_LIMIT],
            self.destination.program[:NAME_LIMIT],
            os.getpid(),
        )

    def stirred(self) -> None:
        """Report what is new, beginning with the first time. Reporting thread."""
        uplink = self.uplink
        if uplink is None:
            return
        if self._begun:
            uplink.stirred()
        else:
            self._begun = True
            uplink.begin()

    def _wake(self) -> bool:
        return self._here.wake(self)


class Here:
    """This process: its thread, its agents, its forks and its end."""

    def __init__(self) -> None:
        """Begin with nothing; hooks are set by the first agent."""
        self._hooked = False
        #: How many pool events could not be noted.
        self.failures = 0
        #: Whether nodes may hear where the application is: stacks are of threads, not
        #: of engines, so an engine that forbids it does so for all.
        self.tells_stacks = True
        self._agents: dict[Destination, Agent] = {}
        self._begin()

    def _begin(self) -> None:
        """Know this process as it is now, before anything was started in it."""
        self._native = native.find()
        #: The one loop of this process, once there is something to tell.
        self._loops: dict[int, Loop] = {}
        self._refused = 0
        self._over = False
        #: Why nothing can be reported from here, empty if it can.
        self.given_up = ""
        #: The threads that are about to fork, and since when there have been any.
        self._forking: set[int] = set()
        self._aside = 0.0
        # Last: what is cut short before this is done again.
        self.pid = os.getpid()

    def agent(self, destination: Destination) -> Agent:
        """The agent for a destination. A thread that makes an engine."""
        if not self._hooked:
            self._hooked = True
            if not tree.BEGUN:
                atexit.register(self.leave)
            # Twice: a signal that came during the fork is handled as the first hook is
            # entered, and what the application's handler raises ends that hook.
            for _ in range(2):
                os.register_at_fork(
                    before=self.before_fork,
                    after_in_parent=self.forked_parent,
                    after_in_child=self.forked_child,
                )
        # A child that was forked in C has no engine of its own yet.
        self.forked_child()
        if destination not in self._agents:
            self._agents.setdefault(destination, Agent(self, destination))
        return self._agents[destination]

    @property
    def agents(self) -> list[Agent]:
        """The agents of this process. Any thread."""
        return list(self._agents.values())

    @property
    def runs(self) -> bool:
        """Whether the reporting thread is at work in this process. Any thread."""
        loop = self._loops.get(os.getpid())
        return loop is not None and loop.runs

    def wake(self, agent: Agent) -> bool:
        """An agent's ledger changed; whether it was heard. Any thread, never waits."""
        if os.getpid() != self.pid:
            return False
        loop = self._loops.get(self.pid)
        if loop is None or agent.uplink is None:
            return self._start(agent)
        loop.call(agent.stirred)
        if not loop.reactor.runs_here():
            log.pass_on()
        return loop.runs or self._resume(loop)

    def _start(self, agent: Agent) -> bool:
        """Give an agent its uplink, and the process its thread."""
        if self._over:
            agent.ledger.unwatch()
            return True
        if _will_fork_unseen():
            agent.ledger.unwatch(for_good=False)
            return False
        if not _threads_have_a_turn():
            self._give_up(RuntimeError("uWSGI without --enable-threads stops threads"))
            return True
        try:
            self._start_uplink(agent)
        except Exception as error:
            return self._could_not(error)
        return True

    def _start_uplink(self, agent: Agent) -> None:
        """What a signal handler cuts short here, the next mark does again.

        No lock keeps other threads out: the garbage collector may come here as well, in
        the middle. The first loop and the first uplink made are the ones that count.
        """
        # Looked up anew: the program may have been patched since.
        self._native = native.find()
        loop = self._one_loop()
        uplink = Uplink(
            loop.reactor,
            self._native,
            agent.ledger,
            agent.identity(),
            agent.destination,
            last_word=options.in_tree(os.environ),
            tells_stacks=lambda: self.tells_stacks,
        )
        agent.link_up(uplink)
        loop.call(agent.stirred)
        loop.start()
        self._end_with_multiprocessing()

    def _one_loop(self) -> Loop:
        """The loop of this process, made if it must be."""
        loop = self._loops.get(self.pid)
        if loop is None:
            made = Loop(self._native)
            loop = self._loops.setdefault(self.pid, made)
            if loop is not made:
                made.abandon()
        return loop

    def _resume(self, loop: Loop) -> bool:
        """Have a thread run again that something cut short; whether it will."""
        if self._over:
            return True
        if self._is_forking():
            # It goes on after the fork, with what it was called for.
            return True
        try:
            loop.start()
        except Exception as error:
            return self._could_not(error)
        return True

    def _could_not(self, error: Exception) -> bool:
        """Something failed; once is no proof, as signal handlers may raise anywhere."""
        self._refused += 1
        if self._refused < ATTEMPTS:
            return False
        self._give_up(error)
        return True

    def _give_up(self, error: Exception) -> None:
        """We cannot work here: say so once, and stay out of the way from now on."""
        self._over = True
        self.given_up = f"cannot report: {type(error).__name__}: {error}"
        for agent in list(self._agents.values()):
            agent.ledger.unwatch()
        loop = self._loops.get(self.pid)
        if loop is not None and not loop.runs:
            # Lest a node believe that we only have nothing to tell.
            loop.abandon()
        _log.warning(
            "connmon cannot report from this process: %s: %s",
            type(error).__name__,
            error,
        )

    def _end_with_multiprocessing(self) -> None:
        """Have ``leave`` called also where ``multiprocessing`` ends the process.

        Its children end by ``os._exit``, after finalizers of its own.
        """
        process = sys.modules.get("multiprocessing.process")
        util = sys.modules.get("multiprocessing.util")
        if process is None or util is None or process.parent_process() is None:
            return
        util.Finalize(None, self.leave, exitpriority=LAST)

    def failed(self, error: Exception) -> None:
        """Something of ours failed in an application's thread: say so once."""
        self.failures += 1
        if self.failures == 1:
            _log.warning("connmon: a pool event could not be noted: %r", error)

    # Forks.

    def before_fork(self) -> None:
        """Have the thread step aside, so that it is not in the middle of anything."""
        with suppress(Exception):
            loop = self._loops.get(self.pid)
            if loop is None or self._over or self.pid != os.getpid():
                return
            if not self._forking:
                self._aside = time.monotonic()
            self._forking.add(get_ident())
            loop.park(PARK_SECONDS)
            self._settle(PARK_SECONDS)

    def _settle(self, timeout: float) -> bool:
        """Wait until no thread of ours is in the resolver; whether that is so."""
        until = time.monotonic() + timeout
        settled = True
        for agent in list(self._agents.values()):
            if agent.uplink is not None:
                left = max(until - time.monotonic(), 0.0) if timeout > 0 else timeout
                settled = agent.uplink.settle(left) and settled
        return settled

    def forked_parent(self) -> None:
        """Let the thread go on."""
        try:
            self._go_on()
        except Exception:
            # A signal handler of the host's raised in the middle: once more.
            self._go_on()

    def _go_on(self) -> None:
        """Have the thread run again, or do without where the system gives none."""
        self._forking.discard(get_ident())
        loop = self._loops.get(self.pid)
        if loop is None or self._over or loop.runs or self._is_forking():
            return
        try:
            loop.start()
        except RuntimeError as error:
            self._give_up(error)

    def _is_forking(self) -> bool:
        """Whether a thread is about to fork, so that ours has to stand aside.

        Not for ever: many threads may fork all the time, or one have been cut short.
        """
        if self._forking and time.monotonic() - self._aside > FORK_SECONDS:
            self._forking.clear()
        return bool(self._forking)

    def forked_child(self) -> None:
        """Be a new process: nothing of the parent's link or ledgers is ours."""
        if self.pid == os.getpid():
            return
        with suppress(Exception):
            inherited = self._loops.get(self.pid)
            if inherited is not None:
                inherited.abandon()
            for agent in list(self._agents.values()):
                agent.renew()
            self._begin()

    # The end.

    def leave(self) -> None:
        """Tell what is left, stop the thread and wait for it; all within a bound."""
        if self._over or self.pid != os.getpid():
            return
        self._over = True
        with suppress(Exception):
            loop = self._loops.get(self.pid)
            if loop is not None:
                self._finish(loop)
            log.pass_on()
        for agent in list(self._agents.values()):
            agent.ledger.unwatch()

    def _finish(self, loop: Loop) -> None:
        """Have every agent tell the rest, then end the thread."""
        if not loop.runs:
            loop.start()
        patience = TREE_SECONDS if options.in_tree(os.environ) else FLUSH_SECONDS
        until = time.monotonic() + patience
        for agent in list(self._agents.values()):
            self._flush(agent, loop, until)
        ended = loop.end(END_SECONDS)
        if not (self._settle(0.0) and ended) and _is_subinterpreter():
            # To end it with a thread inside would abort the whole process.
            loop.end(-1)
            self._settle(-1)

    def _flush(self, agent: Agent, loop: Loop, until: float) -> None:
        uplink = agent.uplink
        if uplink is None:
            return
        finished = self._native.allocate_lock()
        finished.acquire()

        def finish() -> None:
            with suppress(RuntimeError):
                finished.release()

        loop.call(uplink.finish, finish)
        finished.acquire(True, max(until - time.monotonic(), 0.0))


def _is_subinterpreter() -> bool:
    """Whether this is not the interpreter that the process began with."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        with suppress(ImportError):
            current: Any = import_module(name).get_current()
            return int(current[0] if isinstance(current, tuple) else current) != 0
    return False


def _uwsgi() -> Any:
    """What uWSGI tells the programs it runs; ``None`` in any other."""
    if "uwsgi" not in sys.modules and "uwsgi" not in sys.builtin_module_names:
        return None
    return import_module("uwsgi")


def _will_fork_unseen() -> bool:
    """Whether this is a uWSGI master: it forks in C, and a thread breaks workers."""
    uwsgi = _uwsgi()
    return uwsgi is not None and uwsgi.worker_id() == 0 and uwsgi.mule_id() == 0


def _threads_have_a_turn() -> bool:
    """Whether a thread runs while the program waits for requests.

    A uWSGI before 2.0.27 keeps Python's lock meanwhile, unless it is told that there
    are threads: ours would try for it 200 times a second, and be thought gone.
    """
    return bool(getattr(_uwsgi(), "has_threads", True))


HERE = Here()
