"""Which of a pool's methods is called by what takes its place."""

from __future__ import annotations

import gc
import sys
from functools import partialmethod
from typing import Any, cast
from unittest import skipIf
from weakref import ref

from sqlalchemy import create_engine
from sqlalchemy.pool import Pool, QueuePool, SingletonThreadPool
from sqlalchemy.pool.base import _ConnectionFairy
from twisted.trial.unittest import SynchronousTestCase

from connmon.client.callables import way_back, way_out
from connmon.client.listeners import Watch
from connmon.client.options import NONE
from tests.client.ownpools import TaggingPool
from tests.client.test_listeners import StandIn


class CarefulPool(QueuePool):
    """One of an application's own, which calls what SQLAlchemy's does, if it likes."""

    def connect(self) -> Any:
        """Take a connection, or none."""
        return _ConnectionFairy._checkout(self) if self else None

    def _return_conn(self, record: Any) -> None:
        if record:
            self._do_return_conn(record)


class SeeingPool(QueuePool):
    """One that sees by whom it is called."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Nobody has called."""
        super().__init__(*arguments, **options)
        self.callers: list[str] = []

    def _do_get(self) -> Any:
        self._see()
        return super()._do_get()

    def _do_return_conn(self, record: Any) -> None:
        self._see()
        super()._do_return_conn(record)

    def _see(self) -> None:
        frame = sys._getframe(2)
        while frame is not None:
            self.callers.append(f"{frame.f_globals['__name__']}.{frame.f_code.co_name}")
            frame = frame.f_back  # type: ignore[assignment]


class Wrapper:
    """One that says it is what it wraps, as those of the library wrapt do."""

    def __init__(self, wrapped: Any) -> None:
        """Around this."""
        self._wrapped = wrapped

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """That of what it wraps."""
        return self._wrapped.__class__

    def __getattr__(self, name: str) -> Any:
        """Everything of what it wraps."""
        return getattr(self._wrapped, name)

    def __get__(self, pool: Any, kind: Any) -> Any:
        """Bound, it wraps what is bound."""
        return self if pool is None else type(self)(self._wrapped.__get__(pool, kind))

    def __eq__(self, other: object) -> bool:
        """As what it wraps."""
        return bool(self._wrapped == other)

    def __hash__(self) -> int:
        """As what it wraps."""
        return hash(self._wrapped)


def more_than(plain: Any) -> Any:
    """A function that calls this one."""

    def called(*arguments: Any) -> Any:
        return plain(*arguments)

    return called


class WaysTests(SynchronousTestCase):
    """A call is left out only where SQLAlchemy does nothing else by it."""

    def pool(self, kind: Any = QueuePool) -> Any:
        """An engine's pool."""
        engine = create_engine("sqlite://", poolclass=kind)
        self.addCleanup(engine.dispose)
        return engine.pool

    def test_usual_pools(self) -> None:
        """What the two call takes and returns a connection all the same."""
        pool = self.pool()
        (enter, whose), take_back = way_out(pool.connect), way_back(pool._return_conn)
        self.assertEqual((_ConnectionFairy._checkout, pool), (enter, whose))
        self.assertEqual(pool._do_return_conn, take_back)
        fairy = enter(whose)
        self.assertEqual(1, pool.checkedout())
        take_back(fairy._connection_record)
        self.assertEqual(0, pool.checkedout())
        fairy._connection_record = None

    def test_what_a_watched_pool_calls(self) -> None:
        """The two are left out, and ours are there, until it is disposed of."""
        engine = create_engine("sqlite://", poolclass=SeeingPool)
        agent: Any = StandIn()
        Watch(agent, engine, transactions=NONE)
        held, pool = engine.pool.connect(), cast("Any", engine.pool)
        engine.pool.connect().close()
        ours = {
            "connmon.client.callables.connect",
            "connmon.client.callables.return_conn",
        }
        left_out = {"sqlalchemy.pool.base.connect", "sqlalchemy.pool.base._return_conn"}
        self.assertEqual(ours, ours & {*pool.callers})
        self.assertEqual(set(), left_out & {*pool.callers})
        engine.dispose()
        held.close()
        self.assertEqual(
            {"sqlalchemy.pool.base._return_conn"}, left_out & {*pool.callers}
        )

    @skipIf(sys.implementation.name == "pypy", "PyPy ends objects late")
    def test_a_pool_that_was_disposed_of(self) -> None:
        """It goes with who has it, without the collector."""
        engine = create_engine("sqlite://", poolclass=QueuePool)
        agent: Any = StandIn()
        Watch(agent, engine, transactions=NONE)
        engine.pool.connect().close()
        pool = ref(engine.pool)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        engine.dispose()
        self.assertIsNone(pool())

    def assert_called(self, pool: Any, name: str) -> None:
        """That method is called as it is, with whatever it is now."""
        method = getattr(pool, name)
        if name == "connect":
            enter, whose = way_out(method)
            self.assertIs(method, whose)
            self.patch(pool, "connect", lambda: "taken")
            self.assertEqual("taken", enter(pool.connect))
        else:
            self.assertIs(method, way_back(method))

    def test_pools_that_do_more(self) -> None:
        """SQLAlchemy's, or the application's."""
        for kind in (SingletonThreadPool, TaggingPool, CarefulPool):
            self.assert_called(self.pool(kind), "connect")
        self.assert_called(self.pool(CarefulPool), "_return_conn")

    def test_a_class_that_was_patched(self) -> None:
        """By a function with more to do, or by a wrapper that hides."""
        for name in ("connect", "_return_conn"):
            plain: Any = getattr(Pool, name)
            for own in (partialmethod(plain), Wrapper(plain), more_than(plain)):
                self.patch(Pool, name, own)
                self.assert_called(self.pool(), name)

    def test_callables_of_other_kinds(self) -> None:
        """They are called as they are."""
        pool = self.pool()
        for own in (len, lambda: None, Wrapper(pool.connect)):
            pool.connect = own
            self.assert_called(pool, "connect")
