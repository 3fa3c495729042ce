"""What connmon is doing in this process, in plain values that JSON can say.

Any thread may ask, at any time: nothing here waits, nothing is started, and what was
never imported is not imported to say that there is nothing.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from connmon.client import options

if TYPE_CHECKING:
    from connmon.client.agent import Agent, Here
    from connmon.client.history import History
    from connmon.client.link import Destination

_AGENT = "connmon.client.agent"
_ENGINES = "connmon.client.engines"

IDLE = "idle"
"""No engine that reports there has connected yet."""

LOOKING = "looking"
"""No node is reached, or none that takes our reports yet."""

LINKED = "linked"
"""A node knows this process."""


def status() -> dict[str, Any]:
    """What connmon is doing in this process; docs/application.rst explains each key."""
    pid = os.getpid()
    # Missing while another thread is in the middle of that import.
    here: Here | None = getattr(sys.modules.get(_AGENT), "HERE", None)
    why = options.disabled(os.environ)
    agents: list[Agent] = []
    if here is not None:
        why = why or here.given_up
        agents = here.agents
    return {
        "enabled": not why,
        "reason": why or None,
        "pid": pid,
        "thread": here is not None and here.runs,
        "events_failed": 0 if here is None else here.failures,
        "destinations": [_destination(each, pid, time.monotonic()) for each in agents],
    }


def _destination(agent: Agent, pid: int, now: float) -> dict[str, Any]:
    """What there is to say of one destination."""
    asked = agent.destination
    # What a parent process did is not ours.
    uplink = agent.uplink if agent.pid == pid else None
    done = None if uplink is None else uplink.history
    return {
        "service": asked.service or None,
        "program": asked.program,
        "addresses": [str(each) for each in asked.addresses],
        "engines": _engines(asked),
        **_course(done, now),
        "incidents_dropped": agent.ledger.incidents_dropped if agent.pid == pid else 0,
        "pools": _pools(agent, pid, now),
    }


def _pools(agent: Agent, pid: int, now: float) -> list[dict[str, Any]]:
    """The pools of this process whose engines report there."""
    from connmon.client.pool_status import pool_status

    ours = agent.ledger.pools() if agent.pid == pid else []
    return [pool_status(each, now) for each in ours]


def _course(done: History | None, now: float) -> dict[str, Any]:
    """How far reporting has come."""
    if done is None:
        return {
            "process": None,
            "state": IDLE,
            "seconds": None,
            "node": None,
            "address": None,
            "registrations": 0,
            "reports_sent": 0,
            "reports_acknowledged": 0,
            "last_report_age": None,
            "failures": 0,
            "last_failure": None,
        }
    linked, last = done.linked, done.acknowledged_at
    return {
        "process": done.process,
        "state": LINKED if linked else LOOKING,
        "seconds": _age(done.since, now),
        "node": done.node if linked else None,
        "address": done.address if linked else None,
        "registrations": done.registrations,
        "reports_sent": done.sent,
        "reports_acknowledged": done.acknowledged,
        "last_report_age": None if last is None else _age(last, now),
        "failures": done.failures,
        "last_failure": done.last_failure or None,
    }


def _age(then: float, now: float) -> float:
    """Seconds ago, to the millisecond."""
    return round(max(now - then, 0.0), 3)


def _engines(asked: Destination) -> int:
    """How many engines report there."""
    watched: Any = getattr(sys.modules.get(_ENGINES), "watched", list)
    return sum(each.destination == asked for each in watched())
