"""Tests of stacks as payloads: what arrives is what was told, and nothing else does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import ProtocolError
from connmon.model.records import MOST, Identity
from connmon.model.stacks import (
    MOST_FOUND,
    MOST_FRAMES,
    MOST_STACKS,
    Found,
    Stack,
    Told,
)
from connmon.wire.commands import NAME_LIMIT, PROCESS_LIMIT, TEXT_LIMIT
from connmon.wire.fields import pack
from connmon.wire.stacks import decode_found, decode_told, encode_found, encode_told

QUICK = settings(deadline=None, max_examples=100, database=None)

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_COUNTS = st.integers(0, MOST)
STACKS = st.builds(
    Stack,
    _COUNTS,
    st.floats(0, 1e9),
    _NAMES,
    _NAMES,
    st.none() | _COUNTS,
    _NAMES,
    _NAMES,
    st.lists(_NAMES, max_size=4).map(tuple),
    _NAMES,
)
TOLD = st.builds(Told, _COUNTS, st.lists(STACKS, max_size=3).map(tuple), _NAMES)
FOUND = st.lists(
    st.builds(
        Found, st.builds(Identity, _NAMES, _NAMES, _NAMES, _COUNTS), _NAMES, TOLD
    ),
    max_size=3,
).map(tuple)

A_STACK: list[Any] = [1, 2.0, "t", "s", None, "p", "", ["f:1 g"], ""]


class ThereAndBackTests(SynchronousTestCase):
    """What is encoded is decoded to the same."""

    @QUICK
    @given(TOLD)
    def test_what_a_process_tells(self, told: Told) -> None:
        """Whatever it is."""
        self.assertEqual(told, decode_told(encode_told(told)))

    @QUICK
    @given(FOUND)
    def test_what_a_node_found(self, found: tuple[Found, ...]) -> None:
        """Whatever it is."""
        self.assertEqual(found, decode_found(encode_found(found)))

    def test_what_is_too_long_is_cut(self) -> None:
        """Texts to what the reader takes, and of a stack the outermost frames go."""
        frames = tuple(f"f:{number} g" for number in range(MOST_FRAMES + 5))
        long = "x" * 5000
        stack = Stack(1, 0.0, long, long, None, long, long, frames, long)
        told = decode_told(encode_told(Told(200, (stack,) * 200, long)))
        self.assertEqual((200, MOST_STACKS), (told.held, len(told.stacks)))
        self.assertEqual(TEXT_LIMIT, len(told.why))
        seen = told.stacks[0]
        self.assertEqual(frames[5:], seen.frames)
        self.assertEqual(
            [NAME_LIMIT, NAME_LIMIT, TEXT_LIMIT, NAME_LIMIT, TEXT_LIMIT],
            [len(e) for e in (seen.owner, seen.site, seen.pool, seen.tag, seen.note)],
        )
        who = Identity(long, long, long, 1)
        [found, *others] = decode_found(encode_found([Found(who, long, told)] * 200))
        self.assertEqual(MOST_FOUND - 1, len(others))
        self.assertEqual(PROCESS_LIMIT, len(found.identity.process))

    def test_what_was_added_later_is_passed_over(self) -> None:
        """At the end of each array."""
        payload = pack([1, 1, [[*A_STACK, "later"]], "", "later"])
        self.assertEqual("t", decode_told(payload).stacks[0].owner)


class BrokenTests(SynchronousTestCase):
    """What does not fit is refused as a whole."""

    def test_what_a_process_may_not_tell(self) -> None:
        """Too much, too little, and what is of another kind."""
        for fields in (
            [1, 0, []],
            [2, 0, [], ""],
            [1, -1, [], ""],
            [1, 0, None, ""],
            [1, 0, [], 7],
            [1, 0, [], "x" * (TEXT_LIMIT + 1)],
            [1, 0, [A_STACK] * (MOST_STACKS + 1), ""],
            [1, 0, [A_STACK[:8]], ""],
        ):
            self.assertRaises(ProtocolError, decode_told, pack(fields))
        self.assertRaises(ProtocolError, decode_told, b"\xc1")

    def test_each_field_of_a_stack(self) -> None:
        """Is checked."""
        decode_told(pack([1, 0, [A_STACK], ""]))
        for index, value in (
            (0, -1),
            (1, -1.0),
            (1, float("nan")),
            (2, None),
            (2, "x" * (NAME_LIMIT + 1)),
            (3, b"s"),
            (4, "session"),
            (5, "x" * (TEXT_LIMIT + 1)),
            (6, 1),
            (7, "frames"),
            (7, ["x" * (NAME_LIMIT + 1)]),
            (7, [None]),
            (7, ["f"] * (MOST_FRAMES + 1)),
            (8, None),
        ):
            stack = [*A_STACK[:index], value, *A_STACK[index + 1 :]]
            with self.assertRaises(ProtocolError, msg=str(index)):
                decode_told(pack([1, 0, [stack], ""]))

    def test_what_a_node_may_not_tell(self) -> None:
        """Of the processes."""
        good = [["p", "h", "n", 1], "node1", [1, 0, [], ""]]
        decode_found(pack([1, [good]]))
        for found in (
            [good] * (MOST_FOUND + 1),
            [good[:2]],
            [[["p", "h", "n"], *good[1:]]],
            [[["p" * (PROCESS_LIMIT + 1), "h", "n", 1], *good[1:]]],
            [[good[0], None, good[2]]],
            [[*good[:2], [1, 0, []]]],
        ):
            self.assertRaises(ProtocolError, decode_found, pack([1, found]))

    @QUICK
    @given(st.binary(max_size=60))
    def test_any_bytes(self, payload: bytes) -> None:
        """Are refused in the one way, or make sense."""
        for decode in (decode_told, decode_found):
            try:
                decode(payload)
            except ProtocolError:
                continue
