"""Tests of what is said of a pool to whoever asks in the process."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from connmon.client.pool_status import pool_status
from connmon.model.holding import Waiter
from connmon.model.ledger import Ledger
from connmon.model.records import PoolFacts
from tests.model.marks import give


class PoolStatusTests(SynchronousTestCase):
    """A pool with a connection in each state."""

    def test_all_there_is(self) -> None:
        """States, totals, maxima, durations, and each connection."""
        ledger = Ledger()
        facts = PoolFacts("sqlite:///x.db", "QueuePool", 5, 10, 30.0, None, True)
        pool = ledger.pool("engine", facts)
        idle, used, detached = (ledger.opened(pool, 1.0) for _ in range(3))
        for each in (idle, used, detached):
            each.taken(2.0, "me", "a.py:1 takes")
        idle.outlives_pool()
        used.session, used.address, used.tag = 48197, "10.0.0.5:53211", "job"
        give(idle, 2.5)
        ledger.detached(detached, 3.0)
        pool.created(0.004)
        pool.refused()
        pool.awaited(Waiter("me", 9.0, "b.py:2 waits", "job"))
        late = Waiter("late", 4.0)
        pool.awaited(late)
        pool.served(late, 9.0)
        pool.timed_out(late, 9.0)
        ledger.fold()
        said = pool_status(pool, 12.0)
        self.assertEqual(said, json.loads(json.dumps(said)))
        connections = said.pop("connections")
        holds, creations = said.pop("hold_seconds"), said.pop("connect_seconds")
        waits = said.pop("wait_seconds")
        self.assertEqual(
            {
                "name": "sqlite:///x.db",
                "class": "QueuePool",
                "size": 5,
                "max_overflow": 10,
                "timeout_seconds": 30.0,
                "recycle_seconds": None,
                "pre_ping": True,
                "idle": 1,
                "used": 1,
                "detached": 1,
                "disposed": 1,
                "max_connections": 3,
                "max_used": 3,
                "checkouts": 3,
                "checkins": 1,
                "connects": 3,
                "connect_failures": 1,
                "closes": 0,
                "invalidations": 0,
                "soft_invalidations": 0,
                "resets": 1,
                "commits": 0,
                "rollbacks": 0,
                "waits": 1,
                "timeouts": 1,
                "leaks": 0,
                "waiting": 1,
                "waiters": [
                    {
                        "seconds": 3.0,
                        "owner": "me",
                        "site": "b.py:2 waits",
                        "tag": "job",
                        "holds": True,
                    }
                ],
            },
            said,
        )
        self.assertEqual((1, 5.0), (waits["count"], waits["sum"]))
        self.assertEqual((2, 1.5), (holds["count"], holds["sum"]))
        self.assertEqual((1, 1), (holds["buckets"]["0.5"], holds["buckets"]["1"]))
        self.assertEqual((1, 0.004), (creations["count"], creations["sum"]))
        self.assertEqual(1, creations["buckets"]["0.005"])
        self.assertIn(
            {
                "state": "used",
                "state_seconds": 10.0,
                "age_seconds": 11.0,
                "uses": 1,
                "disposed": False,
                "owner": "me",
                "site": "a.py:1 takes",
                "tag": "job",
                "leak": None,
                "session": 48197,
                "address": "10.0.0.5:53211",
                "transaction_seconds": None,
                "quiet_seconds": None,
            },
            connections,
        )
        self.assertEqual(
            {"idle": None, "used": "me", "detached": "me"},
            {each["state"]: each["owner"] for each in connections},
        )
        idles = [each for each in connections if each["state"] == "idle"]
        self.assertEqual(
            [(None, None)], [(each["site"], each["tag"]) for each in idles]
        )
