"""What a witness is told: processes, and reports of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connmon.model.histogram import Histogram
from connmon.model.process import Process
from connmon.model.records import (
    COLLECTED,
    OUT,
    ConnectionRecord,
    Counters,
    Home,
    Identity,
    Maxima,
    Notice,
    PoolFacts,
    PoolRecord,
    Report,
)
from connmon.run.witness import Witness

POOL = PoolRecord(
    1,
    PoolFacts("sqlite:///x.db", "QueuePool", 5, 10),
    Counters(),
    Maxima(),
    Histogram(),
    Histogram(),
)
THREE = Counters(checkouts=3)
SITE = "tests/test_x.py:88 test_orders"


def who(token: str = "p1", program: str = "pytest", pid: int = 123) -> Identity:
    """A process."""
    return Identity(token, "ci", program, pid)


def held(id: int = 1, state: int = OUT, since: float = 0.0, **more: Any) -> Any:
    """A connection, of which somebody should return it."""
    words = {"owner": "MainThread", "site": SITE, **more}
    return ConnectionRecord(id, 1, state, since, 0.0, 1, **words)


def notice(number: int, kind: str = COLLECTED, **more: Any) -> Notice:
    """Something that happened to a connection."""
    words: dict[str, Any] = {"at": 5.0, "connection": 1, "seconds": 0.5, "site": SITE}
    return Notice(number, 1, kind=kind, owner="MainThread", **{**words, **more})


class Told:
    """A witness, and one process that it is told of."""

    def __init__(self, identity: Identity | None = None) -> None:
        """Nothing has been said."""
        self.witness = Witness()
        self.process = Process(identity or who(), Home("run", "x"))

    def say(
        self,
        *connections: ConnectionRecord,
        clock: float = 10.0,
        heard: float = 110.0,
        notices: Iterable[Notice] = (),
        base: int | None = None,
        counters: Counters = THREE,
        **more: Any,
    ) -> None:
        """The process reports, and is believed."""
        report = Report(
            sequence=0,
            base=base,
            clock=clock,
            span=0.0,
            counters=counters,
            maxima=Maxima(),
            pools=(POOL,),
            connections=connections,
            notices=tuple(notices),
            **more,
        )
        self.process.accept(report, heard)
        self.witness.reported(self.process, report)

    def leave(self, now: float = 110.5) -> None:
        """It ends."""
        self.witness.left(self.process.identity, now)
