"""Text that came from the network: harmless, and as wide as it is said to be."""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wcwidth import wcwidth

from connmon.console.text import ASCII, UNICODE, Cut, clean, fit, width
from tests.console.fakes import NASTY

QUICK = settings(deadline=None, max_examples=200, database=None)


class CleanTests(SynchronousTestCase):
    """``clean`` leaves nothing that a terminal could act on or disagree about."""

    def test_ordinary_names_stay(self) -> None:
        """Names as they are in practice come through as they are."""
        for name in ("nova-api", "web 2/uwsgi", "Zürich", "日本語", "x\u0301", ""):
            self.assertEqual(name, clean(name))

    def test_controls(self) -> None:
        """Escapes, line ends, DEL and the eight-bit controls are shown as ``?``."""
        self.assertEqual("a?[31m?????", clean("a\x1b[31m\r\n\x7f\x9b\x00"))

    def test_direction(self) -> None:
        """Nothing runs from right to left, by itself or by a mark."""
        self.assertEqual("a????", clean("a\u202e\u05d0\u0627\u2067"))

    def test_invisible(self) -> None:
        """What has no width of its own cannot hide in a name."""
        self.assertEqual(
            "a????????", clean("a\u200b\u200d\u2060\ufe0f\u00ad\u3164\u115f\u2800")
        )

    def test_spaces_are_plain(self) -> None:
        """Only the one space everybody knows is a space."""
        self.assertEqual("a b???", clean("a b\u3000\u00a0\u2028"))

    def test_combining_flood(self) -> None:
        """A character keeps two marks; more, or marks without a base, are replaced."""
        self.assertEqual("a\u0301\u0302??", clean("a\u0301\u0302\u0303\u0304"))
        self.assertEqual("?a", clean("\u0301a"))

    def test_limit(self) -> None:
        """A long name is cut before it is looked at, and the cut is marked."""
        self.assertEqual("abc…", clean("abcdefgh", 4))
        self.assertEqual("abc~", clean("abcdefgh", 4, ASCII))
        self.assertEqual("abcd", clean("abcd", 4))
        self.assertEqual("", clean("abc", 0))
        self.assertEqual(256, len(clean("x" * 10_000_000)))

    def test_ascii(self) -> None:
        """Where only ASCII can be shown, each other character is one ``?``."""
        self.assertEqual("Z?rich ??", clean("Zürich 日本", glyphs=ASCII))

    def test_every_character(self) -> None:
        """Of all there are, what is left is as wide as terminals take it to be."""
        for code in range(sys.maxunicode + 1):
            char = chr(code)
            kept = clean("a" + char)[1:]
            if kept != "?":
                self.assertEqual(char, kept)
                self.assertNotIn(unicodedata.category(char)[0], {"C"}, hex(code))
                self.assertEqual(wcwidth(char), width(kept), hex(code))

    @QUICK
    @given(NASTY, st.sampled_from([UNICODE, ASCII]))
    def test_clean_is_printable(self, name: str, glyphs: object) -> None:
        """Whatever the name, the result is printable, and as clean as can be."""
        chosen = ASCII if glyphs is ASCII else UNICODE
        cleaned = clean(name, 20, chosen)
        self.assertTrue(cleaned.isprintable())
        self.assertLessEqual(len(cleaned), 20)
        self.assertEqual(cleaned, clean(cleaned, 20, chosen))
        if chosen is ASCII:
            self.assertTrue(cleaned.isascii())


class GlyphsTests(SynchronousTestCase):
    """The signs of a screen are such as ``clean`` leaves, each of one cell."""

    def test_one_cell_each(self) -> None:
        """A bar or a sparkline takes the cells that it has signs."""
        for glyphs in (UNICODE, ASCII):
            for signs in (glyphs.ellipsis, glyphs.strokes, glyphs.levels):
                self.assertEqual(signs, clean(signs, glyphs=glyphs))
                self.assertEqual(len(signs), width(signs))
                self.assertEqual(len(signs), len(set(signs)))

    def test_as_many_in_ascii(self) -> None:
        """What stands in has as many levels, and a stroke for each stroke."""
        self.assertEqual(3, len(UNICODE.strokes))
        self.assertEqual(len(UNICODE.strokes), len(ASCII.strokes))
        self.assertEqual(len(UNICODE.levels), len(ASCII.levels))


class FitTests(SynchronousTestCase):
    """``fit`` fills exactly the cells it is given."""

    def test_padding(self) -> None:
        """Short text is padded behind, or before it."""
        self.assertEqual("ab  ", fit("ab", 4))
        self.assertEqual("  ab", fit("ab", 4, right=True))
        self.assertEqual("日 ", fit("日", 3))

    def test_cut_at_the_end(self) -> None:
        """Long text ends in an ellipsis."""
        self.assertEqual("keys…", fit("keystone", 5))
        self.assertEqual("keys~", fit("keystone", 5, glyphs=ASCII))

    def test_cut_in_the_middle(self) -> None:
        """A name keeps its beginning and its end."""
        self.assertEqual("key…lic", fit("keystone-wsgi-public", 7, cut=Cut.MIDDLE))
        self.assertEqual("keys…lic", fit("keystone-wsgi-public", 8, cut=Cut.MIDDLE))

    def test_cut_at_the_beginning(self) -> None:
        """A line of the application keeps its number and its function."""
        site = "nova/db/api.py:412 get_all"
        self.assertEqual("….py:412 get_all", fit(site, 16, cut=Cut.BEGINNING))
        self.assertEqual("~_all", fit(site, 5, cut=Cut.BEGINNING, glyphs=ASCII))
        self.assertEqual("…", fit(site, 1, cut=Cut.BEGINNING))

    def test_no_half_characters(self) -> None:
        """Where half of a wide character would remain there is a blank."""
        self.assertEqual("…語 ", fit("日本語", 4, cut=Cut.BEGINNING))
        self.assertEqual("日… ", fit("日本語", 4))
        self.assertEqual("日…語", fit("日本語本語", 5, cut=Cut.MIDDLE))

    def test_marks_stay_with_their_character(self) -> None:
        """A cut never moves an accent to another character."""
        self.assertEqual("a\u0301…e\u0301", fit("a\u0301bcde\u0301", 3, cut=Cut.MIDDLE))

    def test_no_room(self) -> None:
        """In no cells there is no text."""
        self.assertEqual("", fit("abc", 0))
        self.assertEqual("", fit("abc", -1))
        self.assertEqual("…", fit("abc", 1))

    @QUICK
    @given(NASTY, st.integers(0, 40), st.booleans(), st.sampled_from(Cut))
    def test_exact(self, name: str, cells: int, right: bool, cut: Cut) -> None:
        """Any name fills any number of cells exactly."""
        self.assertEqual(cells, width(fit(clean(name), cells, right, cut)))
