"""Tests of how figures are written: as in the mock-ups, and of a width that is kept."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.figures import (
    WIDEST,
    WIDEST_PERCENT,
    bar,
    count,
    duration,
    percent,
    rate,
    size,
    spark,
)
from connmon.console.text import ASCII, UNICODE, Glyphs, clean, width

QUICK = settings(deadline=None, max_examples=300, database=None)

ANY_FLOAT = st.floats() | st.none()
POSITIVE = (
    st.floats(0, 100, exclude_min=True)
    | st.floats(0, 1e7, exclude_min=True)
    | st.floats(0, exclude_min=True, allow_infinity=False)
)
COUNTS = st.integers(0, 2_000_000) | st.integers(0)
GLYPHS = st.sampled_from([UNICODE, ASCII])

NOT_KNOWN = (None, math.nan, math.inf, -math.inf)

UNITS: dict[str, float] = {
    "ms": 1e-3,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
}
SCALE = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
BYTES = {"": 1.0, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30}
BYTES |= {"T": 2.0**40, "P": 2.0**50, "E": 2.0**60}


def seconds_of(text: str) -> float:
    """What a reader takes a duration for."""
    if text.startswith("<"):
        return 0.0005
    total, digits, unit = 0.0, "", ""
    for char in text.lstrip(">") + "0":
        if unit and char in "0123456789":
            total += float(digits) * UNITS[unit]
            digits = unit = ""
        if char in "0123456789.":
            digits += char
        else:
            unit += char
    return total


def scaled(text: str, scale: dict[str, float]) -> float:
    """What a reader takes a figure with a unit for."""
    if text.startswith("<"):
        return 0.05
    text = text.lstrip(">")
    unit = text.lstrip("0123456789.")
    return float(text[: len(text) - len(unit)]) * scale[unit]


class FigureTestCase(SynchronousTestCase):
    """What the tests of this module share."""

    def assert_written(
        self, write: Callable[..., str], expected: dict[float, str]
    ) -> None:
        """Each of these figures is written like that."""
        for figure, text in expected.items():
            self.assertEqual(text, write(figure), repr(figure))

    def assert_fits(self, text: str, widest: int) -> None:
        """The text may be drawn as it is, and is no wider than that."""
        self.assertEqual(text, clean(text, glyphs=ASCII))
        self.assertTrue(1 <= width(text) <= widest, text)


class DurationTests(FigureTestCase):
    """Durations are in the unit one would say them in."""

    def test_as_in_the_mockups(self) -> None:
        """What the design shows is what is written."""
        self.assert_written(
            duration,
            {
                0.002: "2ms",
                0.059: "59ms",
                0.1: "0.1s",
                2.9: "2.9s",
                38.2: "38.2s",
                309: "5m09s",
                412: "6m52s",
                1908: "31m48s",
                9000: "2h30m",
                7500: "2h05m",
                273600: "3d04h",
                1036800: "12d00h",
            },
        )

    def test_not_known(self) -> None:
        """What is no duration is a dash."""
        for value in NOT_KNOWN:
            self.assertEqual("-", duration(value))
            self.assertEqual("-", duration(value, exact=True))

    def test_nothing(self) -> None:
        """Zero is told from what is merely short; clocks that differ make no minus."""
        self.assert_written(
            duration,
            {-0.0: "0s", -3.5: "0s", 5e-324: "<1ms", 0.00099: "<1ms"},
        )
        self.assertEqual("0s", duration(0, exact=True))

    def test_no_rounding_jumps(self) -> None:
        """Just below the next unit there is no whole one of it in this one."""
        self.assert_written(
            duration,
            {
                0.0994: "99ms",
                0.0995: "0.1s",
                0.0999: "0.1s",
                59.94: "59.9s",
                59.95: "1m00s",
                59.99: "1m00s",
                119.6: "2m00s",
                3599.4: "59m59s",
                3599.6: "1h00m",
                86399: "23h59m",
                86399.6: "1d00h",
                8639999: "99d23h",
                8639999.6: "100d",
            },
        )

    def test_long(self) -> None:
        """From a hundred days on days are enough, and at last there are many."""
        day = 86400.0
        self.assert_written(
            duration, {100 * day: "100d", 9999 * day: "9999d", 10000 * day: ">9999d"}
        )

    def test_exact(self) -> None:
        """Plain seconds can be compared by eye and copied, as long as they fit."""
        self.assertEqual(
            ["0.000s", "0.059s", "0.999s", "1.0s", "38.2s", "412.0s", "999.9s"],
            [
                duration(value, exact=True)
                for value in (0.0004, 0.059, 0.9994, 0.9996, 38.2, 412, 999.94)
            ],
        )
        self.assertEqual(
            ["1000s", "9000s", "99999s", "1d03h", ">9999d"],
            [
                duration(value, exact=True)
                for value in (999.96, 9000, 99999.4, 99999.6, 1e300)
            ],
        )

    @QUICK
    @given(ANY_FLOAT, st.booleans())
    def test_fits(self, seconds: float | None, exact: bool) -> None:
        """No duration is wider than its column."""
        self.assert_fits(duration(seconds, exact), WIDEST)

    @QUICK
    @given(POSITIVE, POSITIVE, st.booleans())
    def test_monotonous(self, one: float, other: float, exact: bool) -> None:
        """A longer duration never reads as a shorter one."""
        less, more = sorted((one, other))
        self.assertLessEqual(
            seconds_of(duration(less, exact)), seconds_of(duration(more, exact))
        )

    @QUICK
    @given(st.floats(0.001, 8.64e8), st.booleans())
    @example(59.949999999999996, False)
    @example(0.0995, False)
    def test_near_the_truth(self, seconds: float, exact: bool) -> None:
        """What is read differs from what is by half of a tenth, or a cut last unit."""
        text = duration(seconds, exact)
        off = abs(seconds_of(text) - seconds)
        if "d" in text:
            most = 3600.5 if "h" in text else 86400.5
        elif "h" in text:
            most = 60.5
        elif "ms" in text or (text.startswith("0.") and exact):
            most = 0.000501
        else:
            most = 0.0501 if "." in text else 0.501
        self.assertLessEqual(off, most, text)


class RateTests(FigureTestCase):
    """Rates show a tenth where it matters, and thousands where it does not."""

    def test_as_in_the_mockups(self) -> None:
        """What the design shows is what is written."""
        self.assert_written(
            rate,
            {0: "0", 0.4: "0.4", 96.7: "96.7", 190: "190", 1421: "1421", 2310: "2310"},
        )

    def test_not_known(self) -> None:
        """What is no rate is a dash."""
        for value in NOT_KNOWN:
            self.assertEqual("-", rate(value))

    def test_seldom(self) -> None:
        """What happens seldom does not read as if it did not happen."""
        self.assert_written(
            rate, {0.01: "<0.1", 0.06: "0.1", -1.0: "0", 5e-324: "<0.1"}
        )

    def test_no_rounding_jumps(self) -> None:
        """The last decimal goes, and a unit comes, where the figure as written asks."""
        self.assert_written(
            rate,
            {
                99.94: "99.9",
                99.96: "100",
                9999.4: "9999",
                9999.6: "10.0k",
                12345.0: "12.3k",
                99949.0: "99.9k",
                99951.0: "100k",
                999499.0: "999k",
                999501.0: "1.0M",
                9.994e17: "999P",
                1e18: ">999P",
            },
        )

    @QUICK
    @given(ANY_FLOAT)
    def test_fits(self, per_second: float | None) -> None:
        """No rate is wider than its column."""
        self.assert_fits(rate(per_second), WIDEST)

    @QUICK
    @given(POSITIVE, POSITIVE)
    def test_monotonous(self, one: float, other: float) -> None:
        """A higher rate never reads as a lower one."""
        less, more = sorted((one, other))
        self.assertLessEqual(scaled(rate(less), SCALE), scaled(rate(more), SCALE))

    @QUICK
    @given(st.floats(0.0501, 9.9e17))
    def test_near_the_truth(self, per_second: float) -> None:
        """What is read is right to half of the last digit."""
        text = rate(per_second)
        off = abs(scaled(text, SCALE) - per_second)
        unit = SCALE[text.lstrip("0123456789.")]
        self.assertLessEqual(off, unit * (0.0501 if "." in text else 0.501))


class PercentTests(FigureTestCase):
    """Percentages never say full or empty of what is not."""

    def test_only_full_is_full(self) -> None:
        """Almost full is 99 %, almost empty 1 %."""
        self.assert_written(
            percent,
            {
                0: "0%",
                1e-9: "1%",
                0.009: "1%",
                0.8: "80%",
                0.996: "99%",
                math.nextafter(1, 0): "99%",
                1: "100%",
            },
        )

    def test_more_than_all(self) -> None:
        """More than there is can be out, after a pool was replaced by a smaller one."""
        self.assert_written(
            percent, {1.2: "120%", 9.999: "999%", 10: ">999%", 1e300: ">999%"}
        )

    def test_not_known(self) -> None:
        """What is no share is a dash; there is none below zero."""
        for value in NOT_KNOWN:
            self.assertEqual("-", percent(value))
        self.assertEqual("0%", percent(-0.5))

    def test_whole_hundredths(self) -> None:
        """A share that is a whole percentage is that, however floats store it."""
        for whole in range(1000):
            self.assertEqual(f"{whole}%", percent(whole / 100))

    @QUICK
    @given(ANY_FLOAT)
    def test_fits(self, ratio: float | None) -> None:
        """No percentage is wider than its column."""
        self.assert_fits(percent(ratio), WIDEST_PERCENT)

    @QUICK
    @given(st.integers(0, 5000), st.integers(1, 5000))
    def test_cut(self, part: int, whole: int) -> None:
        """Whole numbers give the same, but for what is neither all nor nothing."""
        expected = part * 100 // whole
        if 0 < part < whole:
            expected = max(expected, 1)
        written = percent(part / whole)
        self.assertEqual(f"{expected}%" if part < 10 * whole else ">999%", written)


class CountTests(FigureTestCase):
    """Counts and sizes are exact while they are short."""

    def test_count(self) -> None:
        """Six digits are shown, more are not."""
        self.assertEqual("-", count(None))
        self.assert_written(
            count,
            {
                0: "0",
                -1: "0",
                999_999: "999999",
                1_000_000: "1.0M",
                1_234_567: "1.2M",
                99_949_999: "99.9M",
                99_950_001: "100M",
                999_500_000: "1.0G",
                2**63 - 1: "9.2E",
                10**400: ">999E",
            },
        )

    def test_size(self) -> None:
        """Bytes are counted by 1024."""
        self.assertEqual("-", size(None))
        self.assert_written(
            size,
            {
                0: "0",
                -1: "0",
                1023: "1023",
                1024: "1.0K",
                10_137: "9.9K",
                10_240: "10K",
                1024 * 1023: "1023K",
                1024 * 1024 - 1: "1.0M",
                5 * 2**30: "5.0G",
                2**63 - 1: "8.0E",
                10**400: ">1023E",
            },
        )

    @QUICK
    @given(COUNTS, COUNTS)
    def test_fit_and_monotonous(self, one: int, other: int) -> None:
        """None is wider than its column, nor reads as less than a smaller one."""
        less, more = sorted((one, other))
        for write, scale in ((count, SCALE), (size, BYTES)):
            self.assert_fits(write(less), WIDEST)
            self.assertLessEqual(scaled(write(less), scale), scaled(write(more), scale))


class BarTests(FigureTestCase):
    """A bar says at a glance how full something is."""

    def test_as_in_the_mockups(self) -> None:
        """What the design shows is what is drawn."""
        for ratio, drawn in (
            (0, "────────"),
            (1 / 15, "╸───────"),
            (2 / 15, "━───────"),
            (4 / 15, "━━──────"),
            (6 / 15, "━━━─────"),
            (9 / 15, "━━━━━───"),
            (12 / 15, "━━━━━━╸─"),
            (13 / 15, "━━━━━━━─"),
            (1, "━━━━━━━━"),
        ):
            self.assertEqual(drawn, "".join(bar(ratio, 8, UNICODE)))

    def test_parts(self) -> None:
        """The filled part and the track are apart, as they have different colours."""
        self.assertEqual(("━━╸", "─"), bar(0.6, 4, UNICODE))
        self.assertEqual(("==-", "."), bar(0.6, 4, ASCII))

    def test_neither_full_nor_empty(self) -> None:
        """The least there is shows, and so does the least that is missing."""
        self.assertEqual("╸───", "".join(bar(1e-9, 4, UNICODE)))
        self.assertEqual("━━━╸", "".join(bar(0.999999, 4, UNICODE)))
        self.assertEqual("╸", "".join(bar(0.9, 1, UNICODE)))
        self.assertEqual(("━━━━", ""), bar(7.5, 4, UNICODE))

    def test_not_known(self) -> None:
        """What is not known does not look like nothing."""
        for value in NOT_KNOWN:
            self.assertEqual(("", "    "), bar(value, 4, UNICODE))

    @QUICK
    @given(ANY_FLOAT, st.integers(-3, 60), GLYPHS)
    def test_exact(self, ratio: float | None, cells: int, glyphs: Glyphs) -> None:
        """A bar fills its cells, and nothing of it is changed by being cleaned."""
        drawn = "".join(bar(ratio, cells, glyphs))
        self.assertEqual(max(cells, 0), width(drawn))
        self.assertEqual(drawn, clean(drawn, glyphs=glyphs))

    @QUICK
    @given(st.floats(0, 2), st.floats(0, 2), st.integers(1, 60))
    def test_monotonous(self, one: float, other: float, cells: int) -> None:
        """More is never shown as less; all and nothing are what they are."""
        halves = []
        for ratio in sorted((one, other)):
            filled, track = bar(ratio, cells, UNICODE)
            halves.append(2 * filled.count("━") + filled.count("╸"))
            self.assertEqual(ratio >= 1, halves[-1] == 2 * cells)
            self.assertEqual(ratio > 0, halves[-1] > 0)
            self.assertLessEqual(set(track), {"─"})
        self.assertEqual(sorted(halves), halves)


class SparkTests(FigureTestCase):
    """A sparkline shows how a rate went, the newest at the right."""

    def test_levels(self) -> None:
        """Seven levels, no full block among them; zero is blank."""
        self.assertEqual(" ▁▂▃▄▅▆▇", spark(range(8), 8, UNICODE))
        self.assertEqual(" .:-=+*#", spark(range(8), 8, ASCII))

    def test_few_values(self) -> None:
        """Where there are too few values yet, the left is blank."""
        self.assertEqual("  ▄▇", spark([1, 2], 4, UNICODE))
        self.assertEqual("    ", spark([], 4, UNICODE))

    def test_many_values(self) -> None:
        """Where there are too many, the newest are shown, scaled among themselves."""
        self.assertEqual("▄▇", spark([900, 900, 1, 2], 2, UNICODE))

    def test_top(self) -> None:
        """Rows that share a top can be compared, and nothing is above it."""
        self.assertEqual("▁▄▇▇", spark([1, 4, 7, 900], 4, UNICODE, top=7))
        for top in (0.0, -1.0, math.nan, math.inf):
            self.assertEqual("▄▇", spark([1, 2], 2, UNICODE, top=top))

    def test_not_known(self) -> None:
        """What is no rate is blank, and does not count for the scale."""
        series = [None, math.nan, math.inf, -5.0, 1.0, 2.0]
        self.assertEqual("    ▄▇", spark(series, 6, UNICODE))

    def test_little(self) -> None:
        """The least that happened shows beside much."""
        self.assertEqual("▁▇", spark([1e-12, 1e12], 2, UNICODE))
        self.assertEqual("▇", spark([5e-324], 1, UNICODE))
        self.assertEqual("▇", spark([1e308], 1, UNICODE, top=5e-324))

    @QUICK
    @given(st.lists(ANY_FLOAT, max_size=40), st.integers(-3, 60), GLYPHS, ANY_FLOAT)
    def test_exact(
        self, series: list[float | None], cells: int, glyphs: Glyphs, top: float | None
    ) -> None:
        """A sparkline fills its cells; what is not blank is what happened."""
        drawn = spark(series, cells, glyphs, top)
        self.assertEqual(max(cells, 0), width(drawn))
        self.assertEqual(drawn, clean(drawn, glyphs=glyphs))
        self.assertNotIn("█", drawn)
        shown = series[-cells:] if cells > 0 else []
        self.assertEqual(
            [v is not None and math.isfinite(v) and v > 0 for v in shown],
            [char != " " for char in drawn[len(drawn) - len(shown) :]],
        )

    @QUICK
    @given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
    def test_monotonous(self, series: list[float]) -> None:
        """A larger value has no lower level, and the largest has the highest."""
        drawn = spark(series, len(series), ASCII)
        levels = [(" " + ASCII.levels).index(char) for char in drawn]
        pairs = sorted(zip(series, levels, strict=True))
        self.assertEqual(sorted(levels), [level for _, level in pairs])
        if any(series):
            self.assertEqual(len(ASCII.levels), max(levels))
