"""Tests of incidents as arrays: what they have in common is said once."""

from __future__ import annotations

from typing import Any

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError
from connmon.model.holding import LISTED
from connmon.model.records import Holder, Incident, InLine, PoolFacts
from connmon.wire.incidents import MOST, decode_incidents, encode_incidents

FACTS = [
    PoolFacts("postgresql+psycopg://db/app", "QueuePool", 5, 10, 30.0),
    PoolFacts("postgresql+psycopg://db/app", "QueuePool", 5, 20, 30.0),
]
HOLDERS = [
    Holder(id, 9.0, "worker", "shop/db.py:88 hold", 40 + id) for id in range(1, 4)
]
IN_LINE = [InLine(since, "worker", "shop/db.py:90 get") for since in (1.0, 2.0)]
IN_LINE += [IN_LINE[0]._replace(holds=True)]

# Few parts, so that most of them come again.
INCIDENTS = st.builds(
    Incident,
    st.integers(1, 9),
    st.integers(1, 2),
    st.sampled_from((10.0, 10.25)),
    st.integers(1, 9),
    st.sampled_from(FACTS),
    st.sampled_from(IN_LINE),
    st.integers(0, 9),
    st.lists(st.sampled_from(HOLDERS), max_size=4).map(tuple),
    st.integers(0, 9),
    st.lists(st.sampled_from(IN_LINE), max_size=4).map(tuple),
)


def sent(incidents: tuple[Incident, ...]) -> Any:
    """What arrives."""
    return msgpack.unpackb(msgpack.packb(encode_incidents(incidents)), use_list=False)


class IncidentTests(SynchronousTestCase):
    """``encode_incidents`` and ``decode_incidents``."""

    @given(st.lists(INCIDENTS, max_size=6).map(tuple))
    def test_any(self, incidents: tuple[Incident, ...]) -> None:
        """They are read as they were written, and no part is said twice."""
        arrays = sent(incidents)
        self.assertEqual(incidents, decode_incidents(arrays))
        parts = [
            part
            for each in arrays
            for part in (each[4], each[5], *each[7], *each[9])
            if type(part) is not int
        ]
        self.assertEqual(len(parts), len(set(parts)))

    def test_a_storm_is_small(self) -> None:
        """A hundred timeouts of a pool in a row cost little more than one."""
        line = tuple(InLine(float(n), f"worker-{n}", "a.py:1 f") for n in range(100))
        held = tuple(Holder(n, 1.0, f"web-{n}", "b.py:2 g", n) for n in range(15))
        storm = tuple(
            Incident(n, 1, 40.0, n, FACTS[0], line[n], 15, held, 99 - n, line[n + 1 :])
            for n in range(100)
        )
        first = len(msgpack.packb(encode_incidents(storm[:1])))
        every = len(msgpack.packb(encode_incidents(storm)))
        self.assertLess(every, 5 * first)
        self.assertEqual(storm, decode_incidents(sent(storm)))

    def test_parts_are_the_same_objects(self) -> None:
        """So that a node that keeps many incidents keeps each part once."""
        one = Incident(1, 1, 9.0, 1, FACTS[0], IN_LINE[0], 1, (HOLDERS[0],))
        first, second = decode_incidents(sent((one, one._replace(number=2))))
        self.assertIs(first.holders[0], second.holders[0])
        self.assertIs(first.facts, second.facts)

    def test_more_than_are_listed(self) -> None:
        """No more are kept, but those after them are still known by their numbers."""
        many = tuple(HOLDERS[0]._replace(connection=n) for n in range(LISTED + 5))
        one = Incident(1, 1, 9.0, 1, FACTS[0], IN_LINE[0], 105, many)
        other = one._replace(number=2, victim=IN_LINE[1], holders=many[-1:])
        first, second = decode_incidents(sent((one, other)))
        self.assertEqual(many[:LISTED], first.holders)
        self.assertEqual(other, second)

    def test_more_than_a_process_tells(self) -> None:
        """They would keep a node busy: the rest is not read."""
        one = Incident(1, 1, 9.0, 1, FACTS[0], IN_LINE[0])
        many = tuple(one._replace(number=n) for n in range(MOST + 5))
        self.assertEqual(many[:MOST], decode_incidents(sent(many)))

    def test_parts_that_did_not_come_before(self) -> None:
        """Nor may a part be another kind of thing than it is needed for."""
        one = Incident(1, 1, 9.0, 1, FACTS[0], IN_LINE[0], 1, (HOLDERS[0],))
        for index, value in ((4, 0), (5, 0), (5, 1), (7, (0,)), (7, (-1,)), (9, (3,))):
            (array,) = sent((one,))
            fields = list(array)
            fields[index] = value
            with self.assertRaises(ProtocolError):
                decode_incidents((tuple(fields),))
