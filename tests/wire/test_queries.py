"""Queries as payloads: what a console wants, and nothing that cannot be one."""

from __future__ import annotations

from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError
from connmon.views.query import WHOLE, Query
from connmon.wire.commands import TEXT_LIMIT
from connmon.wire.queries import (
    MOST_PARTS,
    MOST_QUERIES,
    decode_queries,
    encode_queries,
)
from tests.wire.test_payloads import ANYTHING, COUNTS, NAMES, TIMES, mutilated

PLAIN = st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | TIMES | NAMES
QUERIES = st.builds(
    Query,
    view=NAMES,
    scope=st.lists(st.tuples(NAMES, PLAIN), max_size=3).map(tuple),
    where=st.lists(NAMES, max_size=3).map(tuple),
    busy=st.booleans(),
    sort=NAMES,
    alerts_first=st.booleans(),
    tree=st.booleans(),
    fields=st.lists(NAMES, max_size=3).map(tuple),
    first=COUNTS,
    limit=st.just(WHOLE) | COUNTS,
    anchor=st.none() | st.lists(PLAIN, max_size=3).map(tuple),
    line=COUNTS,
    find=NAMES,
    find_step=st.sampled_from((1, -1)),
)
SOME = st.lists(QUERIES, min_size=1, max_size=3).map(tuple)


def types(query: Query) -> list[type]:
    """The types of the values that tell rows apart: ``1 == 1.0 == True``."""
    return [type(value) for _, value in query.scope] + [
        type(value) for value in query.anchor or ()
    ]


class CodecTests(SynchronousTestCase):
    """What goes in comes out."""

    @settings(deadline=None)
    @given(SOME)
    def test_queries_round_trip(self, queries: tuple[Query, ...]) -> None:
        """Queries read are the queries written, and their values of the same type."""
        read = decode_queries(encode_queries(queries))
        self.assertEqual(queries, read)
        self.assertEqual(list(map(types, queries)), list(map(types, read)))

    def test_as_many_as_may_be(self) -> None:
        """There may be so many queries, and each may have so many parts."""
        queries = (Query(where=("x",) * MOST_PARTS),) * MOST_QUERIES
        self.assertEqual(queries, decode_queries(encode_queries(queries)))

    def test_a_limit_below_zero_is_none(self) -> None:
        """It is sent as what it means."""
        (read,) = decode_queries(encode_queries([Query(limit=-5)]))
        self.assertEqual(WHOLE, read.limit)

    def test_numbers_beyond_those_of_rows(self) -> None:
        """No row has them: that they lose digits does no harm."""
        query = Query(anchor=(2**64 - 1, -(2**63)))
        (read,) = decode_queries(encode_queries([query]))
        self.assertEqual((float(2**64), -float(2**63)), read.anchor)

    def test_text_that_cannot_be_said_is_replaced(self) -> None:
        """What was typed may be anything."""
        (read,) = decode_queries(encode_queries([Query(find="h\udcff")]))
        self.assertEqual("h?", read.find)

    @settings(deadline=None)
    @given(SOME, ANYTHING)
    def test_later_fields_are_ignored(
        self, queries: tuple[Query, ...], more: Any
    ) -> None:
        """A newer console may ask for more than this node understands."""
        fields = msgpack.unpackb(encode_queries(queries))
        pairs = [pair for query in fields[1] for pair in query[1]]
        for array in (fields, *fields[1], *pairs):
            array.append(more)
        self.assertEqual(queries, decode_queries(msgpack.packb(fields)))


class RefusedTests(SynchronousTestCase):
    """Nothing else gets in."""

    def refused(self, fields: Any) -> str:
        """Why a payload is refused."""
        with self.assertRaises(ProtocolError) as caught:
            decode_queries(msgpack.packb(fields))
        return str(caught.exception)

    def test_none_and_too_many(self) -> None:
        """A subscription has a query, and not very many."""
        for count in (0, MOST_QUERIES + 1):
            fields = msgpack.unpackb(encode_queries([Query()] * count))
            self.assertIn("1 to 16 queries", self.refused(fields))

    def test_another_format_is_refused_by_number(self) -> None:
        """A payload of a format we do not know is named."""
        self.assertIn("format 9, expected 1", self.refused([9, []]))

    def test_what_a_query_may_not_be(self) -> None:
        """Fields of another kind, too long or too many, and so are too few."""
        long, many = "x" * (TEXT_LIMIT + 1), ["x"] * (MOST_PARTS + 1)
        pairs = [["x", 1]] * (MOST_PARTS + 1)
        words = (None, 1, b"x", ["x"], long)
        lists: tuple[Any, ...] = (None, "x", [None], [1], [b"x"], [long], many, {})
        counts = (-1, 1.0, True, "1", 2**63)
        cases: tuple[tuple[int, tuple[Any, ...]], ...] = (
            (0, words),
            (1, (None, "x", [1], [[]], [["x"]], [[1, 1]], [["x", []]], pairs)),
            (1, ([["x", b"x"]], [["x", float("nan")]], [["x", long]], [["x", {}]])),
            (2, lists),
            (3, (None, 0, 1, "yes")),
            (4, words),
            (5, (None, 0, 1, "yes")),
            (6, (None, 0, 1, "yes")),
            (7, lists),
            (8, (None, *counts)),
            (9, counts),
            (10, ("x", 1, [[]], [b"x"], [float("inf")], [long], many, {})),
            (11, (None, *counts)),
            (12, words),
            (13, (None, 0, 2, -2, 1.0, -1.0, True, "1", [])),
        )
        for index, values in cases:
            for value in values:
                fields = msgpack.unpackb(encode_queries([Query()]))
                fields[1][0][index] = value
                self.refused(fields)
        fields = msgpack.unpackb(encode_queries([Query()]))
        del fields[1][0][-1]
        self.refused(fields)

    @given(st.binary(max_size=200))
    def test_garbage_is_a_protocol_error(self, payload: bytes) -> None:
        """Bytes that are no payload raise that, and nothing else."""
        with self.assertRaises(ProtocolError):
            decode_queries(payload)

    @given(ANYTHING)
    def test_well_formed_nonsense_is_a_protocol_error(self, value: Any) -> None:
        """So does msgpack that is not of our shape."""
        for fields in (value, [1, value], [1, [value]]):
            with self.assertRaises(ProtocolError):
                decode_queries(msgpack.packb(fields))

    @settings(deadline=None)
    @given(SOME, st.lists(st.integers(0, 20), min_size=1, max_size=5), ANYTHING)
    def test_a_mutilated_query_is_read_or_refused(
        self, queries: tuple[Query, ...], path: list[int], value: Any
    ) -> None:
        """A field of the wrong kind never gets past the codec as something else."""
        try:
            read = decode_queries(mutilated(encode_queries(queries), path, value))
        except ProtocolError:
            return
        self.assertEqual(read, decode_queries(encode_queries(read)))
        for query in read:
            hash(query)
