"""One picture of a recording: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.picture import as_line, of_line
from connmon.errors import ProtocolError
from connmon.views.frame import Frame
from connmon.views.recorded import WHOLE
from connmon.views.schema import PROGRAMS, VIEWS
from tests.console.frames import FRAMES
from tests.console.sources import told_frames

QUICK = settings(deadline=None, max_examples=100, database=None)
PICTURE = tuple(FRAMES[each.view] for each in WHOLE)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=20,
)


class PictureTests(SynchronousTestCase):
    """A picture is a line of JSON."""

    def test_one_line(self) -> None:
        """It is one line of ASCII, and begins as a feed's payload does."""
        line = as_line(PICTURE)
        self.assertTrue(line.isascii())
        self.assertNotIn(b"\n", line)
        self.assertEqual(2, json.loads(line)[0])

    def test_and_back(self) -> None:
        """All views of a fleet, with all that their rows have."""
        self.assertEqual(PICTURE, of_line(as_line(PICTURE)))

    @QUICK
    @given(st.sampled_from(sorted(VIEWS)).flatmap(told_frames))
    def test_any_frame(self, frame: Frame) -> None:
        """Whatever a node may say comes back as it was, hostile names included."""
        self.assertEqual((frame,), of_line(as_line((frame,))))

    def test_long_names(self) -> None:
        """They are cut as a node would cut them for the wire."""
        frame = replace(FRAMES[PROGRAMS], fields=("progname",), rows=(("x" * 5000,),))
        (back,) = of_line(as_line((frame,)))
        self.assertEqual((("x" * 1024,),), back.rows)

    def test_what_is_none(self) -> None:
        """Each is one error of the recording's, in words."""
        empty = as_line(PICTURE[:1])
        for line, words in (
            (b"", "a picture that is not JSON"),
            (empty[:-1], "a picture that is not JSON"),
            (b"\xff", "a picture that is not JSON"),
            (b"[" * 100_000, "a picture that is not JSON"),
            (b"9" * 10_000, "a picture that is not JSON"),
            (b"{}", "expected an array"),
            (b"[1, [], []]", "a feed of format 1"),
            (empty[: empty.index(b'[["programs"')] + b"[]]", "a picture of nothing"),
            (
                empty.replace(b"1421.3", b"1" + b"0" * 400),
                "expected a finite number",
            ),
        ):
            error = self.assertRaises(ProtocolError, of_line, line)
            self.assertIn(words, str(error))

    @QUICK
    @given(JSON | st.tuples(st.just(2), JSON, JSON))
    def test_any_json(self, value: object) -> None:
        """It is a picture, or an error of the recording's, and no other."""
        with contextlib.suppress(ProtocolError):
            of_line(json.dumps(value).encode())
