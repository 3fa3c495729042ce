"""What each thing that can happen in a pool counts, one by one.

``tests.client.test_truth`` has them happen in any order; here are the exact numbers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, exc
from sqlalchemy.pool import (
    AssertionPool,
    NullPool,
    QueuePool,
    SingletonThreadPool,
    StaticPool,
)

from connmon.model.histogram import BOUNDS
from connmon.model.records import DETACHED, IDLE, OUT, Maxima, PoolFacts
from tests.client.ownpools import StackPool, TaggingPool
from tests.client.truth import Hand, TruthCase, collect


class UseTests(TruthCase):
    """Connections that are taken, and given back."""

    def test_first_use(self) -> None:
        """One of everything."""
        with self.connect(self.engine()) as connection:
            with connection.begin():
                connection.exec_driver_sql("select 1")
            self.assert_totals(checkouts=1, connects=1, commits=1)
            self.assert_states(OUT)
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1, commits=1)
        self.assert_states(IDLE)

    def test_an_engine_that_is_not_used(self) -> None:
        """It is not told of."""
        self.engine()
        self.assert_totals()
        self.assertEqual((), self.report().pools)

    def test_the_second_use(self) -> None:
        """The same connection."""
        engine = self.engine()
        for _ in range(3):
            self.take(engine).close()
        self.assert_totals(checkouts=3, checkins=3, connects=1, resets=3)

    def test_closed_in_a_transaction(self) -> None:
        """Which is a rollback."""
        connection = self.connect(self.engine())
        connection.begin()
        connection.exec_driver_sql("select 1")
        connection.close()
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1, rollbacks=1)

    def test_transactions(self) -> None:
        """Ends of transactions count, of savepoints not, nor beginnings."""
        with self.connect(self.engine()) as connection:
            for end in ("commit", "commit", "rollback"):
                transaction = connection.begin()
                connection.exec_driver_sql("select 1")
                with connection.begin_nested():
                    connection.exec_driver_sql("select 1")
                getattr(transaction, end)()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, resets=1, commits=2, rollbacks=1
        )

    def test_transactions_in_two_phases(self) -> None:
        """They count likewise, prepared or not."""
        with self.connect(self.engine()) as connection:
            for do in (("commit",), ("prepare", "commit"), ("rollback",)):
                transaction = connection.begin_twophase()
                connection.exec_driver_sql("select 1")
                for each in do:
                    getattr(transaction, each)()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, resets=1, commits=2, rollbacks=1
        )

    def test_transactions_that_nobody_asked_for(self) -> None:
        """They are not counted unless that is asked for."""
        engine = self.watch(self.bare(), transactions=False)
        with self.connect(engine) as connection:
            for begin in (connection.begin, connection.begin_twophase):
                transaction = begin()
                connection.exec_driver_sql("select 1")
                (told,) = self.report().connections
                self.assertEqual((None, None), (told.transaction, told.quiet))
                transaction.commit()
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1)

    def test_transactions_of_which_the_database_heard_nothing(self) -> None:
        """They do not count: no statement was executed in them."""
        with self.connect(self.engine()) as connection:
            connection.begin().commit()
            connection.begin_twophase().commit()
            connection.begin().rollback()
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1)

    def test_left_to_the_collector(self) -> None:
        """A connection that nobody has any more goes back to its pool: a leak."""
        engine = self.engine()
        fairy = self.take(engine)
        self.assert_states(OUT)
        del fairy
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1, leaks=1)

    def test_left_to_the_collector_and_not_reset(self) -> None:
        """It is closed instead, and has leaked all the same."""
        fairy = self.take(self.engine())
        self.server.failures = 1
        del fairy
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, closes=1, invalidations=1, leaks=1
        )

    def test_an_engine_left_to_the_collector(self) -> None:
        """Nobody closes what it has open: one leak for each that was ever used."""
        engine = self.engine(pool_size=2)
        held = [self.take(engine), self.take(engine)]
        for each in held:
            each.close()
        held.clear()
        del each, engine
        self.engines.clear()
        self.engines[1] = []
        self.assert_totals(
            checkouts=2, checkins=2, connects=2, closes=2, resets=2, leaks=2
        )

    def test_overflow(self) -> None:
        """A connection over the pool's size is closed as soon as it comes back."""
        engine = self.engine()
        first, second = self.take(engine), self.take(engine)
        self.assert_states(OUT, OUT)
        first.close()
        second.close()
        self.assert_totals(checkouts=2, checkins=2, connects=2, closes=1, resets=2)
        self.assertEqual(Maxima(2, 2), self.report().maxima)
        self.assertEqual(Maxima(2, 2), self.report().pools[0].maxima)

    def test_a_pool_that_is_exhausted(self) -> None:
        """Whoever waits in vain took nothing."""
        engine = self.engine()
        held = [self.take(engine), self.take(engine)]
        self.assertRaises(exc.TimeoutError, self.take, engine)
        self.truth.timed_out(1)
        self.assert_totals(checkouts=2, connects=2, timeouts=1)
        del held

    def test_maxima_between_reports(self) -> None:
        """They are exact, though nobody looked when it was so."""
        engine = self.engine(pool_size=3, max_overflow=0)
        other = self.engine()
        held = [self.take(engine) for _ in range(3)]
        held.append(self.take(other))
        for each in held:
            each.close()
        engine.dispose()
        self.assert_totals(checkouts=4, checkins=4, connects=4, closes=3, resets=4)
        self.assertEqual(Maxima(4, 4), self.report().maxima)
        self.assertEqual(
            [Maxima(3, 3), Maxima(1, 1)], [each.maxima for each in self.report().pools]
        )

    def test_one_connection(self) -> None:
        """Its state, since when, how old, how often used, and whose it is."""
        engine = self.engine()
        self.wait(1.0)
        self.server.pace = 0.5
        fairy = self.take(engine)
        made = self.clock.now
        (told,) = self.report().connections
        self.assertEqual((OUT, made, made, 1, "MainThread"), told[2:7])
        self.wait(2.0)
        fairy.close()
        (told,) = self.report().connections
        self.assertEqual((IDLE, made + 2.0, made, 1, ""), told[2:7])
        self.wait(3.0)
        fairy = self.take(engine)
        (told,) = self.report().connections
        self.assertEqual((OUT, made + 5.0, made, 2, "MainThread"), told[2:7])
        self.wait(4.0)
        fairy.detach()
        (told,) = self.report().connections
        self.assertEqual((DETACHED, made + 9.0, made, 2, "MainThread"), told[2:7])
        fairy.close()
        self.assertEqual((), self.report().connections)

    def test_hold_times(self) -> None:
        """Each bucket has its upper end in it, the last has none."""
        engine = self.engine()
        for seconds in [*BOUNDS, 301.0, 0.0]:
            # A clock whose readings have no fraction: their differences are exact.
            self.clock.now = 0.0
            fairy = self.take(engine)
            self.clock.now = seconds
            fairy.close()
        expected = (2, *(1 for _ in BOUNDS))
        self.assertEqual(expected, self.report().pools[0].holds.counts)
        self.assertAlmostEqual(
            sum(BOUNDS) + 301.0, self.report().pools[0].holds.seconds
        )

    def test_creation_times(self) -> None:
        """The same for how long it took to make connections."""
        engine = self.engine(poolclass=NullPool)
        for seconds in [*BOUNDS, 301.0, 0.0]:
            self.clock.now = 0.0
            self.server.pace = seconds
            self.take(engine).close()
        told = self.report().pools[0].creations
        self.assertEqual((2, *(1 for _ in BOUNDS)), told.counts)
        self.assertAlmostEqual(sum(BOUNDS) + 301.0, told.seconds)


class EndTests(TruthCase):
    """Connections that are closed, and replaced."""

    def test_recycled(self) -> None:
        """One that is too old is replaced at its next checkout."""
        engine = self.engine(pool_recycle=50)
        self.take(engine).close()
        self.wait(60.0)
        self.take(engine).close()
        self.assert_totals(checkouts=2, checkins=2, connects=2, closes=1, resets=2)
        self.assertEqual(Maxima(1, 1), self.report().maxima)

    def test_a_ping_that_fails(self) -> None:
        """One is invalidated; those as old are replaced when it is their turn."""
        engine = self.engine(pool_size=2, pool_pre_ping=True)
        held = [self.take(engine), self.take(engine)]
        for each in held:
            each.close()
        self.wait(1.0)
        self.server.cut_off(1)
        self.server.cut_off(2)
        self.take(engine).close()
        self.assert_totals(
            checkouts=3, checkins=3, connects=3, closes=1, invalidations=1, resets=3
        )
        self.wait(1.0)
        self.take(engine).close()
        self.assert_totals(
            checkouts=4, checkins=4, connects=4, closes=2, invalidations=1, resets=4
        )

    def test_a_disconnection(self) -> None:
        """A statement that finds the server gone: the connection comes back closed."""
        engine = self.watch(self.bare(), transactions=False)
        connection = self.connect(engine)
        self.server.cut_off(1)
        self.assertRaises(exc.OperationalError, connection.exec_driver_sql, "select 1")
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, closes=1, invalidations=1
        )
        self.assert_states()
        connection.close()
        self.take(engine).close()
        self.assert_totals(
            checkouts=2, checkins=2, connects=2, closes=1, invalidations=1, resets=1
        )

    def test_invalidated(self) -> None:
        """It is closed, and comes back without a reset."""
        self.take(self.engine()).invalidate()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, closes=1, invalidations=1
        )

    def test_invalidated_and_used_again(self) -> None:
        """The application's connection takes another from the pool."""
        connection = self.connect(self.engine())
        connection.invalidate()
        connection.exec_driver_sql("select 1")
        self.truth.taken(connection.connection, "MainThread")
        self.assert_states(OUT)
        self.assert_totals(
            checkouts=2, checkins=1, connects=2, closes=1, invalidations=1
        )

    def test_invalidated_softly(self) -> None:
        """It goes on until its next checkout, then it is replaced."""
        engine = self.engine()
        fairy = self.take(engine)
        self.wait(1.0)
        fairy.invalidate(soft=True)
        fairy.close()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, soft_invalidations=1, resets=1
        )
        self.assert_states(IDLE)
        self.take(engine).close()
        self.assert_totals(
            checkouts=2,
            checkins=2,
            connects=2,
            closes=1,
            soft_invalidations=1,
            resets=2,
        )

    def test_invalidated_while_idle(self) -> None:
        """By who has the record of it, as event listeners do."""
        records: list[Any] = []
        engine = self.engine()
        event.listen(engine, "connect", lambda dbapi, record: records.append(record))
        self.take(engine).close()
        records[0].invalidate()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, closes=1, invalidations=1, resets=1
        )
        self.assertEqual((1, 0), (engine.pool.checkedin(), len(self.server.open)))
        self.take(engine).close()
        self.assert_totals(
            checkouts=2, checkins=2, connects=2, closes=1, invalidations=1, resets=2
        )

    def test_a_reset_that_fails(self) -> None:
        """The connection is invalidated, and was not reset."""
        fairy = self.take(self.engine())
        self.server.failures = 1
        fairy.close()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, closes=1, invalidations=1
        )

    def test_pools_that_do_not_reset(self) -> None:
        """What they do instead, nothing, is counted as what it stands for."""
        engines = [self.engine(pool_reset_on_return=each) for each in (None, "commit")]
        for each in engines:
            self.take(each).close()
        self.assert_totals(checkouts=2, checkins=2, connects=2, resets=2)

    def test_detached(self) -> None:
        """It is out no longer, was not given back, and is reset when it is closed."""
        engine = self.engine()
        fairy = self.take(engine)
        fairy.detach()
        self.assert_totals(checkouts=1, connects=1)
        self.assert_states(DETACHED)
        self.assertEqual((0, 1), (engine.pool.checkedout(), engine.pool.checkedin()))
        self.take(engine).close()
        self.assert_states(DETACHED, IDLE)
        fairy.close()
        self.assert_totals(checkouts=2, checkins=1, connects=2, closes=1, resets=2)

    def test_detached_and_dropped(self) -> None:
        """No event tells of its end."""
        connection = self.connect(self.engine())
        connection.detach()
        self.assert_states(DETACHED)
        del connection
        self.assert_totals(checkouts=1, connects=1, closes=1)

    def test_detached_and_not_reset(self) -> None:
        """SQLAlchemy then leaves it to the driver to close it."""
        fairy = self.take(self.engine())
        fairy.detach()
        self.server.failures = 1
        fairy.close()
        del fairy
        self.assert_totals(checkouts=1, connects=1, closes=1)

    def test_detached_and_invalidated(self) -> None:
        """SQLAlchemy only lets go of it: known when what the application had goes."""
        fairy = self.take(self.engine())
        fairy.detach()
        fairy.invalidate()
        collect()
        self.assertEqual({}, self.server.open)
        self.assert_states_told(DETACHED)
        del fairy
        self.assert_totals(checkouts=1, connects=1, closes=1)

    def assert_states_told(self, *states: int) -> None:
        """The ledger has connections in these states, true or not."""
        self.assertEqual(
            list(states), [each.state for each in self.report().connections]
        )

    def test_detached_connections_of_one_number(self) -> None:
        """One that was let go leaves another's entry in the book of detached ones."""
        engine = self.engine()
        watch = self.watches[1]
        first = self.take(engine)
        first.detach()
        number, entry = next(iter(watch.events.detached.items()))
        second = self.take(engine)
        second.detach()
        # As if the driver had made the second where the first had been.
        other = watch.events.detached.pop(id(second.dbapi_connection))
        watch.events.detached[number] = other
        del first, entry
        collect()
        self.assertEqual({number: other}, watch.events.detached)

    def test_disposed(self) -> None:
        """Idle connections are closed, and the next one is of the next pool."""
        engine = self.engine()
        self.take(engine).close()
        engine.dispose()
        self.assert_totals(checkouts=1, checkins=1, connects=1, closes=1, resets=1)
        self.take(engine).close()
        self.assert_totals(checkouts=2, checkins=2, connects=2, closes=1, resets=2)
        self.assertEqual(1, len(self.report().pools))

    def test_disposed_with_connections_out(self) -> None:
        """They come back to a pool that nobody has, and go with it."""
        engine = self.engine()
        fairy = self.take(engine)
        engine.dispose()
        self.take(engine).close()
        self.assert_states(OUT, IDLE)
        fairy.close()
        del fairy
        self.assert_totals(checkouts=2, checkins=2, connects=2, closes=1, resets=2)
        self.assert_states(IDLE)

    def test_disposed_without_closing(self) -> None:
        """Idle connections go with the pool; no event tells of it."""
        engine = self.engine()
        self.take(engine).close()
        fairy = self.take(engine)
        engine.dispose(close=False)
        self.assert_states(OUT)
        fairy.close()
        del fairy
        self.assert_totals(checkouts=2, checkins=2, connects=1, closes=1, resets=2)

    def test_an_engine_that_is_dropped(self) -> None:
        """So are its connections, but for one that is out."""
        engine = self.engine()
        held = [self.take(engine), self.take(engine)]
        held.pop().close()
        del engine
        self.assert_states(OUT, IDLE)
        del held
        collect()
        self.assertEqual((), self.report().connections)
        self.assertEqual((), self.report().pools)
        self.assertEqual(
            (2, 2, 2, 2), tuple(self.report().counters[each] for each in (0, 1, 2, 4))
        )


class FailureTests(TruthCase):
    """Connections that are not to be had."""

    def test_refused(self) -> None:
        """An attempt that failed, and nothing else."""
        engine = self.engine()
        self.server.refusals = 1
        self.assertRaises(exc.OperationalError, engine.connect)
        self.assert_totals(connect_failures=1)
        self.assertEqual(0, sum(self.report().pools[0].creations.counts))
        self.take(engine).close()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, connect_failures=1, resets=1
        )

    def test_refused_in_place_of_another(self) -> None:
        """The old connection is closed, then there is none."""
        engine = self.engine(pool_recycle=50)
        self.take(engine).close()
        self.wait(60.0)
        self.server.refusals = 1
        self.assertRaises(exc.OperationalError, engine.connect)
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, connect_failures=1, closes=1, resets=1
        )
        self.assert_states()

    def test_a_listener_that_fails(self) -> None:
        """The application's, at ``connect``: a connection was made, and closed again.

        SQLAlchemy 1.4 finds it in a record of the pool's, if it was to replace
        another, and invalidates it.
        """
        for early in (True, False):
            engine = self.bare(pool_recycle=50)
            listeners = [self.watch, lambda each: event.listen(each, "connect", fails)]
            troubles = [ValueError(), None, ValueError()]

            def fails(
                dbapi_connection: Any,
                record: Any,
                troubles: list[Any] = troubles,
            ) -> None:
                trouble = troubles.pop(0)
                if trouble is not None:
                    raise trouble

            for listen in reversed(listeners) if early else listeners:
                listen(engine)
            self.assertRaises(ValueError, engine.raw_connection)
            self.assert_states()
            self.take(engine).close()
            self.wait(60.0)
            self.assertRaises(ValueError, engine.raw_connection)
            self.assert_states()
            told = self.report().pools[-1].counters
            self.assertEqual((1, 1, 3, 0, 3), told[:5])
            self.assertIn(told.invalidations, {0, 1})
            self.agree()

    def test_a_dialect_that_fails(self) -> None:
        """Before any listener of ours could hear of the connection."""
        engine = self.engine()
        self.server.cut_off_next = True
        self.assertRaises(exc.OperationalError, engine.connect)
        collect()
        self.assertEqual({}, self.server.open)
        counters = self.report().counters
        self.assertEqual((0, 0, 1, 0, 1), counters[:5])
        self.agree()

    def test_a_listener_that_refuses_a_connection(self) -> None:
        """The application's, at ``checkout``: no checkout, whatever it leads to."""
        engine = self.engine()
        troubles: list[Exception] = []

        def checkout(*arguments: Any) -> None:
            if troubles:
                raise troubles.pop()

        event.listen(engine, "checkout", checkout)
        troubles = [exc.DisconnectionError()]
        self.take(engine).close()
        self.assert_totals(
            checkouts=1, checkins=1, connects=2, closes=1, invalidations=1, resets=1
        )
        troubles = [ValueError()]
        self.assertRaises(ValueError, engine.raw_connection)
        self.assert_totals(
            checkouts=1, checkins=1, connects=2, closes=2, invalidations=2, resets=1
        )
        troubles = [exc.DisconnectionError() for _ in range(3)]
        self.assertRaises(exc.InvalidRequestError, engine.raw_connection)
        self.assert_totals(
            checkouts=1, checkins=1, connects=5, closes=5, invalidations=5, resets=1
        )


class SharingTests(TruthCase):
    """Pools with several engines, and engines of the same name."""

    def test_engines_on_the_same_url(self) -> None:
        """Each has a pool of its own."""
        for _ in range(2):
            engine = self.engine()
            self.take(engine).close()
            self.addCleanup(engine.dispose)
        self.assert_totals(checkouts=2, checkins=2, connects=2, resets=2)
        pools = self.report().pools
        self.assertEqual([1, 1], [each.counters.checkouts for each in pools])
        self.assertEqual(1, len({each.facts for each in pools}))

    def test_a_copy(self) -> None:
        """``execution_options`` makes one, and it is the same engine."""
        copy = self.engine().execution_options(stream_results=False)
        copy = copy.execution_options(stream_results=True)
        with self.connect(copy) as connection, connection.begin():
            connection.exec_driver_sql("select 1")
        copy.dispose()
        self.assert_totals(
            checkouts=1, checkins=1, connects=1, closes=1, resets=1, commits=1
        )
        self.assertEqual(1, len(self.report().pools))

    def test_an_engine_on_the_pool_of_another(self) -> None:
        """One pool, with the transactions of both, as long as either is there."""
        engine = self.engine()
        other = self.share(engine)
        for each in (engine, other):
            with self.connect(each) as connection, connection.begin():
                connection.exec_driver_sql("select 1")
        self.assert_totals(checkouts=2, checkins=2, connects=1, resets=2, commits=2)
        del engine, each, connection
        collect()
        self.take(other).close()
        self.assert_totals(checkouts=3, checkins=3, connects=1, resets=3, commits=2)
        self.assertEqual(3, self.report().pools[0].counters.checkouts)
        other.dispose()
        self.assert_states()
        self.assertEqual(1, len(self.report().pools))
        del other
        collect()
        self.assertEqual((), self.report().pools)

    def test_disposed_by_one_of_two(self) -> None:
        """The other goes on with the old pool, which is counted with the new one."""
        engine = self.engine()
        other = self.share(engine)
        self.take(engine).close()
        other.dispose()
        held = [self.take(engine), self.take(other)]
        self.assert_states(OUT, OUT)
        self.assertEqual(1, len(self.report().pools))
        for each in held:
            each.close()
        self.assert_totals(checkouts=3, checkins=3, connects=3, closes=1, resets=3)

    def test_a_pool_that_is_kept_keeps_its_engine(self) -> None:
        """SQLAlchemy sees to that, so it is not forgotten."""
        pool = self.engine().pool
        collect()
        fairy = pool.connect()
        self.truth.taken(fairy, "MainThread")
        fairy.close()
        pool.dispose()
        self.assert_totals(checkouts=1, checkins=1, connects=1, closes=1, resets=1)
        self.assertEqual(1, len(self.report().pools))
        del pool, fairy
        collect()
        self.assertEqual((), self.report().pools)


class ClassTests(TruthCase):
    """Every class of pool, and how each is told of."""

    def test_null_pool(self) -> None:
        """Each use is a connection."""
        engine = self.engine(poolclass=NullPool)
        for _ in range(3):
            self.take(engine).close()
        self.assert_totals(checkouts=3, checkins=3, connects=3, closes=3, resets=3)
        self.assertEqual(Maxima(1, 1), self.report().maxima)

    def test_a_queue_that_is_a_stack(self) -> None:
        """The one given back last is taken first."""
        engine = self.engine(pool_size=2, pool_use_lifo=True)
        held = [self.take(engine), self.take(engine)]
        for each in held:
            each.close()
        self.take(engine).close()
        self.assert_totals(checkouts=3, checkins=3, connects=2, resets=3)
        self.assertEqual(
            [1, 2], sorted(each.uses for each in self.report().connections)
        )

    def test_static_pool(self) -> None:
        """One connection."""
        engine = self.engine(poolclass=StaticPool)
        for _ in range(2):
            self.take(engine).close()
        self.assert_totals(checkouts=2, checkins=2, connects=1, resets=2)
        engine.dispose()
        self.assert_states()

    def test_static_pool_with_two_users(self) -> None:
        """SQLAlchemy tells of one giving back, the first, and so do we.

        The second user's checkout counts, as one that lasted no time.
        """
        engine = self.engine(poolclass=StaticPool)
        first = self.take(engine)
        self.wait(0.3)
        second = self.take(engine)
        self.assert_totals(checkouts=2, connects=1)
        self.assert_states(OUT)
        self.wait(0.4)
        first.close()
        self.assert_totals(checkouts=2, checkins=1, connects=1, resets=1)
        self.assert_states(IDLE)
        second.close()
        self.assert_totals(checkouts=2, checkins=1, connects=1, resets=1)
        told = self.report()
        self.assertEqual(Maxima(1, 1), told.maxima)
        self.assertAlmostEqual(0.7, told.pools[0].holds.seconds)
        self.assertEqual(2, sum(told.pools[0].holds.counts))

    def test_static_pool_with_three_users(self) -> None:
        """A user who comes after that is the one, though another is still there."""
        engine = self.engine(poolclass=StaticPool)
        first, second = self.take(engine), self.take(engine)
        first.close()
        third = self.take(engine)
        self.assert_states(OUT)
        second.close()
        self.assert_states(IDLE)
        third.close()
        self.assert_totals(checkouts=3, checkins=2, connects=1, resets=2)

    def test_singleton_thread_pool(self) -> None:
        """A connection for each thread; within one, nested uses are one checkout."""
        engine = self.engine(poolclass=SingletonThreadPool, pool_size=2)
        first, nested = self.take(engine), self.take(engine)
        self.assertIs(first, nested)
        self.assert_totals(checkouts=1, connects=1)
        nested.close()
        self.assert_states(OUT)
        first.close()
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1)

    def test_singleton_thread_pool_of_too_few(self) -> None:
        """SQLAlchemy closes the connection of another thread, which may be in use.

        That thread goes on with it as well as it can: it is gone.
        """
        engine = self.engine(poolclass=SingletonThreadPool, pool_size=1)
        fairy = self.take(engine)
        hand = Hand(0)
        other = hand.do(engine.raw_connection)
        self.truth.taken(other, hand.name)
        self.assert_totals(checkouts=2, checkins=1, connects=2, closes=1)
        nested = self.take(engine)
        self.assertIs(fairy, nested)
        self.assert_totals(checkouts=2, checkins=1, connects=2, closes=1)
        nested.close()
        fairy.close()
        hand.do(other.close)
        self.assert_totals(checkouts=2, checkins=2, connects=2, closes=1, resets=1)
        hand.rest()

    def test_singleton_thread_pool_and_a_detached_connection(self) -> None:
        """SQLAlchemy 1.4 hands it out once more to the thread that has it."""
        engine = self.engine(poolclass=SingletonThreadPool)
        fairy = self.take(engine)
        fairy.detach()
        nested = self.take(engine)
        if nested is fairy:
            self.assert_totals(checkouts=1, connects=1)
            self.assert_states(DETACHED)
        else:
            self.assert_totals(checkouts=2, connects=2)
            self.assert_states(DETACHED, OUT)
        nested.close()
        fairy.close()

    def test_assertion_pool(self) -> None:
        """One at a time."""
        engine = self.engine(poolclass=AssertionPool)
        fairy = self.take(engine)
        self.assertRaises(AssertionError, engine.raw_connection)
        self.assert_totals(checkouts=1, connects=1)
        fairy.close()
        self.take(engine).close()
        self.assert_totals(checkouts=2, checkins=2, connects=1, resets=2)

    def test_assertion_pool_that_is_disposed_while_out(self) -> None:
        """It closes what is in use; that is the end of it, and of the checkout."""
        engine = self.engine(poolclass=AssertionPool)
        fairy = self.take(engine)
        engine.dispose()
        self.assert_totals(checkouts=1, checkins=1, connects=1, closes=1)
        self.assertRaises(AssertionError, fairy.close)
        self.assert_totals(checkouts=1, checkins=1, connects=1, closes=1)

    def test_pools_of_the_applications_own(self) -> None:
        """A subclass that overrides ``connect``, and one with a store of its own."""
        kinds = [TaggingPool, StackPool]
        engines = [self.engine(poolclass=kind) for kind in kinds]
        for engine, kind in zip(engines, kinds, strict=True):
            held = [self.take(engine), self.take(engine)]
            for each in held:
                each.close()
            engine.dispose()
            self.take(engine).close()
            self.assertIs(kind, type(engine.pool))
        self.assert_totals(checkouts=6, checkins=6, connects=6, closes=4, resets=6)
        self.assertEqual(
            ["TaggingPool", "StackPool"],
            [each.facts.kind for each in self.report().pools],
        )

    def test_what_an_application_counts_by_overriding(self) -> None:
        """Its ``connect`` is called as often as before."""
        engine = self.engine(poolclass=TaggingPool)
        for _ in range(3):
            self.take(engine).close()
        self.assertEqual(3, engine.pool.tags)

    def test_a_pool_that_calls_its_creator_itself(self) -> None:
        """It finds the creator that the application gave, as it gave it."""

        def creator() -> Any:
            return self.server.connect(1)

        engine = self.engine(creator=creator)
        self.assertIs(creator, engine.pool._creator)
        self.take(engine).close()
        engine.dispose()
        self.assertIs(creator, engine.pool._creator)
        self.take(engine).close()
        self.assert_totals(checkouts=2, checkins=2, connects=2, closes=1, resets=2)

    def test_facts(self) -> None:
        """What each pool is, as far as its class has such a thing."""
        name = "fakedb://db/main"
        told: list[tuple[dict[str, Any], PoolFacts]] = [
            (
                {
                    "pool_size": 3,
                    "max_overflow": 4,
                    "pool_timeout": 5.5,
                    "pool_recycle": 60,
                    "pool_pre_ping": True,
                },
                PoolFacts(name, "QueuePool", 3, 4, 5.5, 60.0, True),
            ),
            ({"max_overflow": -1}, PoolFacts(name, "QueuePool", 1, None, 0.0)),
            ({"poolclass": NullPool}, PoolFacts(name, "NullPool")),
            ({"poolclass": StaticPool}, PoolFacts(name, "StaticPool")),
            ({"poolclass": AssertionPool}, PoolFacts(name, "AssertionPool")),
            (
                {"poolclass": SingletonThreadPool, "pool_size": 7},
                PoolFacts(name, "SingletonThreadPool", 7),
            ),
            ({"poolclass": TaggingPool}, PoolFacts(name, "TaggingPool", 1, 1, 0.0)),
            ({"poolclass": StackPool}, PoolFacts(name, "StackPool")),
        ]
        for options, facts in told:
            engine = self.engine(**options)
            self.take(engine).close()
            self.assertEqual(facts, self.report().pools[-1].facts)
            self.assertTrue(
                issubclass(type(engine.pool), options.get("poolclass", QueuePool))
            )
