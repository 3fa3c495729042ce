"""What a viewer may type to choose rows, and what each of it means."""

from __future__ import annotations

import string
from collections.abc import Mapping
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.errors import QueryError
from connmon.views.filters import LONGEST, MOST_TERMS, literal, parse
from connmon.views.schema import (
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    NODES,
    POOLS,
    PROCESSES,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
    Kind,
    View,
)

QUICK = settings(deadline=None, max_examples=300, database=None)

NOVA = {
    "hostname": "ctl1.example.com",
    "progname": "nova-api",
    "connected": True,
    "conn": 63,
    "ckout": 45,
    "ckoutpersec": 1421.0,
    "alert": "crit",
    "reason": "7 waiting, pool full",
    "pool_worst": 0.8,
    "waiting": 0,
    "oldest_seconds": 38.2,
    "stale_seconds": None,
    "history": (1.0, 2.0),
}

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.binary(max_size=4),
        st.decimals(),
        st.builds(object),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
    ),
    max_leaves=5,
)

PIECES = st.sampled_from(
    [
        *("host", "hostname", "c", "conn", "pool", "oldest", "history", "connected"),
        *(":", "=", "!=", ">", ">=", "<", "<=", "!", "-", '"', '""', " ", "\t"),
        *("5", "30s", "80%", "1k", "yes", "x", "é", "\x1b", "\ud800", "9" * 40),
    ]
)
LIKELY = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


def holds(text: str, row: Mapping[str, object] = NOVA, view: str = PROGRAMS) -> bool:
    """Whether a filter holds for a row, what it lacks being not known."""
    return parse(text, VIEWS[view]).holds(row.get)


class FilterTests(SynchronousTestCase):
    """What the tests of the language have in common."""

    def assert_holds(self, text: str, **values: object) -> None:
        """Fail unless the filter holds for the row, but for those values of it."""
        self.assertIs(True, holds(text, {**NOVA, **values}), text)

    def assert_not(self, text: str, **values: object) -> None:
        """Fail if the filter holds for the row, but for those values of it."""
        self.assertIs(False, holds(text, {**NOVA, **values}), text)

    def assert_wrong(self, text: str, message: str, view: str = PROGRAMS) -> None:
        """Fail unless the filter is refused, in those words."""
        error = self.assertRaises(QueryError, parse, text, VIEWS[view])
        self.assertEqual(message, str(error))


class TermTests(FilterTests):
    """Terms, and what stands between and before them."""

    def test_nothing(self) -> None:
        """A filter without terms holds for each row, and looks at none of it."""
        for text in ("", " ", "\t\n "):
            self.assert_holds(text)
            self.assertTrue(holds(text, {}))
            self.assertEqual(frozenset(), parse(text, VIEWS[PROGRAMS]).fields)

    def test_all_must_hold(self) -> None:
        """A row that one of several terms does not hold for is left out."""
        self.assert_holds(" ctl1  nova\tconn>5 ")
        for text in ("zz ctl1 nova", "ctl1 zz nova", "ctl1 nova zz"):
            self.assert_not(text)

    def test_negation(self) -> None:
        """Either sign turns any term into its opposite, and two cancel out."""
        for text in ("nova", '"nova-api"', "host:ctl", "conn=63", "conn>5", "conn!=1"):
            self.assert_holds(text)
            for sign in ("!", "-"):
                self.assert_not(sign + text)
            for signs in ("!!", "--", "-!"):
                self.assert_holds(signs + text)

    def test_negated_number(self) -> None:
        """A number below nothing is no number here but a text not to be seen."""
        self.assert_not("-5", reason="5 waiting")
        self.assert_holds("-5", reason="7 waiting")

    def test_quotes(self) -> None:
        """What is in quotes is text, whatever it looks like."""
        for text in ("two words", "conn>5", "-x", "!", "http://x", 'a "b" c', '"', " "):
            self.assert_holds(literal(text), reason=f"so {text} it is")
            self.assert_holds(f"reason:{literal(text)}", reason=f"so {text} it is")
            self.assert_holds(f"reason={literal(text)}", reason=text)
            self.assert_not(f"-{literal(text)}", reason=text)
            self.assert_not(literal(text), reason="two_words")

    def test_two_quoted(self) -> None:
        """A term ends with its quotes, so two need a blank between them."""
        self.assert_holds('"ctl1" -"x y" reason:"7 waiting" "pool full"')

    def test_nothing_in_quotes(self) -> None:
        """No text at all is within any text, and equal to no other."""
        self.assert_holds('""')
        self.assert_holds('reason:""')
        self.assert_holds('reason=""', reason="")
        self.assert_not('reason=""')
        self.assertFalse(holds('""', {}))

    def test_signs_within_text(self) -> None:
        """What begins no term and names no field is text like any other."""
        self.assert_holds("nova-api")
        self.assert_holds("a!b", reason="a!b")
        self.assert_holds("reason:a:b=c<d>e!=f", reason="a:b=c<d>e!=f")
        self.assert_holds("reason:<module>", reason="in <module>")

    def test_fields(self) -> None:
        """A filter tells which fields it looks at, under their names."""
        found = parse("host:x -oldest>3 WAIT=-", VIEWS[PROGRAMS])
        self.assertEqual({"hostname", "oldest_seconds", "waiting"}, found.fields)

    def test_frozen(self) -> None:
        """Nobody can change what a filter is once it is made."""
        found = parse("x", VIEWS[PROGRAMS])
        self.assertRaises(AttributeError, setattr, found, "fields", frozenset())


class AnywhereTests(FilterTests):
    """A text alone is looked for in all that a row has of text."""

    def test_each_text(self) -> None:
        """Any text field will do, in upper or lower case, and no part of two."""
        for text in ("ctl1", "CTL1.Example", "api", "CRIT", "full"):
            self.assert_holds(text)
        self.assert_not("ctl2")
        self.assert_not("comnova")

    def test_no_other(self) -> None:
        """Numbers and flags are no text."""
        for text in ("63", "38", "True", "yes"):
            self.assert_not(text)

    def test_several_texts(self) -> None:
        """Where a field has several texts, any of them will do."""
        row = {"node": "n1", "remarks": ("clock is off", "old version")}
        for text, expected in (
            ("OFF", True),
            ("old", True),
            ("n1", True),
            ("z", False),
        ):
            self.assertEqual(expected, holds(text, row, NODES), text)

    def test_records(self) -> None:
        """A text is looked for in each of their texts."""
        row = {"holders": (("shop/db.py:88 hold", "worker-1", 3.0, 7), ("", "x", 1.0))}
        for text, expected in (
            ("db.py", True),
            ("holders:WORKER", True),
            ("holders=x", True),
            ("holders=worker", False),
            ("holders=-", False),
            ("waiters=-", True),
        ):
            self.assertEqual(expected, holds(text, row, TIMEOUTS), text)

    def test_tokens(self) -> None:
        """Tokens are looked at only where they are asked for by name."""
        for view, name in ((PROCESSES, "process"), (EVENTS, "origin")):
            row = {name: "c0ffee", "hostname": "h"}
            self.assertFalse(holds("c0ffee", row, view))
            self.assertTrue(holds(f"{name}:c0f", row, view))
            self.assertNotIn(name, parse("c0ffee", VIEWS[view]).fields)

    def test_fields(self) -> None:
        """The fields looked at are those with text."""
        self.assertEqual(
            {"hostname", "progname", "state", "alert", "reason"},
            parse("x", VIEWS[PROGRAMS]).fields,
        )
        self.assertEqual(
            {"node", "address", "state", "reason", "version", "remarks"},
            parse("x", VIEWS[NODES]).fields,
        )

    def test_stops_at_the_first(self) -> None:
        """Once a text was found, nothing else of the row is read."""
        read = []

        def value(name: str) -> object:
            read.append(name)
            return NOVA.get(name)

        self.assertTrue(parse("nova", VIEWS[PROGRAMS]).holds(value))
        self.assertEqual(["hostname", "progname"], read)

    @QUICK
    @given(st.text(max_size=400), st.text(max_size=20), st.text(max_size=20))
    def test_literal(self, text: str, before: str, after: str) -> None:
        """Any text, made literal, is found wherever it is, in any case."""
        assume(len(literal(text)) <= LONGEST)
        for around in (before + text + after, before + text.casefold() + after):
            self.assertTrue(holds(literal(text), {"reason": around}))
            self.assertTrue(holds(literal(text), {"remarks": ("", around)}, NODES))
            self.assertFalse(holds(f"!{literal(text)}", {"reason": around}))

    @QUICK
    @given(st.text(max_size=3), st.text(max_size=9))
    def test_literal_is_exact(self, text: str, other: str) -> None:
        """A literal text is found nowhere but where it is."""
        expected = text.casefold() in other.casefold()
        self.assertEqual(expected, holds(literal(text), {"reason": other}))


class NameTests(FilterTests):
    """How a field may be named."""

    def test_name_heading_and_beginning(self) -> None:
        """Name, heading, and what no other name begins with, in any case."""
        for name in ("hostname", "HostName", "host", "HOST", "hostn", "HOSTN"):
            self.assert_holds(f"{name}:ctl1")
            self.assert_not(f"{name}:nova")
        self.assert_holds("oldest>30s")
        self.assert_holds("CKOUT/s>1k")
        self.assertTrue(
            holds("#=4 pool#=2", {"connection": 4, "pool_id": 2}, CHECKOUTS)
        )

    def test_name_before_beginning(self) -> None:
        """What is a name or heading is that, though others begin with it."""
        self.assert_holds("conn=63")
        self.assert_holds("ckout=45")
        self.assert_holds("POOL=80%")

    def test_every_field(self) -> None:
        """Each field of each view can be asked for by its name, but for series."""
        for view in VIEWS.values():
            for field in view.fields:
                if field.kind is not Kind.SERIES:
                    found = parse(f"{field.name}=-", view)
                    self.assertEqual({field.name}, found.fields)
                    self.assertTrue(found.holds(lambda name: None))

    def test_ambiguous(self) -> None:
        """A beginning of several names is refused, and they are listed."""
        self.assert_wrong(
            "-pr:x",
            "'-pr:x' could mean several fields by 'pr', "
            "expected one of progname, programs",
        )

    def test_unknown(self) -> None:
        """What is no field is refused, with what there is, and the way out."""
        self.assert_wrong(
            "http://x",
            "'http://x' names 'http', no field of hosts, expected one of hostname, "
            "programs, nproc, conn, ckout, ckoutpersec, stale, stale_seconds "
            "or 22 more, or quotes around the whole if it is text",
            "hosts",
        )
        for text in ("10.0.0.5:5432", "a!b=c", "nova->x", "stale_for>1", "x<1"):
            self.assertRaises(QueryError, parse, text, VIEWS[PROGRAMS])

    def test_headings(self) -> None:
        """One of several words is none here, as its words would be terms."""
        self.assertEqual({"oldest_seconds"}, parse("OLDEST>1", VIEWS[PROGRAMS]).fields)
        self.assertIsNotNone(VIEWS[PROGRAMS].field("WAIT FOR"))
        self.assertRaises(QueryError, parse, "WAIT FOR>1", VIEWS[PROGRAMS])
        self.assertRaises(QueryError, parse, '"WAIT FOR">1', VIEWS[PROGRAMS])

    def test_all_known(self) -> None:
        """A view of few fields has them all listed."""
        view = View("small", VIEWS[EVENTS].fields[:2], (), ())
        error = self.assertRaises(QueryError, parse, "x:y", view)
        self.assertIn("expected one of age_seconds, severity, or quotes", str(error))

    def test_none(self) -> None:
        """A sign without a field before it is refused."""
        for text, sign in ((":x", ":"), ("!=x", "="), ("->5", ">"), ('="x"', "=")):
            error = self.assertRaises(QueryError, parse, text, VIEWS[PROGRAMS])
            self.assertIn(f"has no field before '{sign}', expected", str(error))

    def test_series(self) -> None:
        """A series has no one value to look at."""
        for text in ("history:1", "hist>1", "history=-", "history!=-"):
            self.assert_wrong(
                text,
                f"'{text}' asks for history, a series, expected a field with one value",
            )


class TextTests(FilterTests):
    """Fields with text."""

    def test_within(self) -> None:
        """A colon asks whether it is within that field, and no other."""
        self.assert_holds("progname:NOVA")
        self.assert_not("progname:ctl1")
        self.assert_not("progname:nova", progname=None)
        self.assert_holds("progname:-", progname="nova-api")
        self.assert_not("progname:-", progname=None)

    def test_equal(self) -> None:
        """An equals sign wants the whole of it, in whatever case."""
        self.assert_holds("alert=CRIT")
        self.assert_not("alert=cri")
        self.assert_not("alert!=Crit")
        self.assert_holds("alert!=cri")

    def test_known(self) -> None:
        """A dash as value is what is not known; in quotes it is a dash."""
        self.assert_holds("reason=-", reason=None)
        self.assert_not("reason!=-", reason=None)
        self.assert_not("reason=-", reason="-")
        self.assert_holds("reason!=-", reason="")
        self.assert_holds('reason="-"', reason="-")
        self.assert_not('reason="-"', reason=None)

    def test_not_equal_where_not_known(self) -> None:
        """What is not known differs from any value."""
        self.assert_holds("reason!=x", reason=None)
        self.assert_not("reason=x", reason=None)

    def test_several(self) -> None:
        """One of several texts is enough to match."""
        row = {"remarks": ("Clock is off", "old")}
        for text, expected in (
            ("remarks:clock", True),
            ("remarks=OLD", True),
            ("remarks=clock", False),
            ("remarks!=old", False),
            ("remarks!=new", True),
            ("remarks=-", False),
        ):
            self.assertEqual(expected, holds(text, row, NODES), text)
        self.assertTrue(holds("remarks:off", {"remarks": ["off"]}, NODES))
        self.assertTrue(holds("remarks!=-", {"remarks": ()}, NODES))

    def test_letters(self) -> None:
        """Case is that of all languages, wherever in a word a letter is."""
        self.assert_holds("reason:STRASSE", reason="Hauptstraße 1")
        self.assert_holds("reason:ΟΔΟΣ", reason="οδοσα")

    def test_no_order(self) -> None:
        """Text cannot be compared with a number."""
        for text, name in (("host>5", "hostname"), ("connected<=1", "connected")):
            self.assert_wrong(
                text,
                f"'{text}' compares {name}, which is no number, "
                "expected one of : = != there",
            )

    def test_two_signs(self) -> None:
        """Doubled as in programs, a sign is refused, unless it is meant as text."""
        for text, sign in (("host==x", "="), ("host!==x", "!=")):
            self.assert_wrong(
                text,
                f"'{text}' has two signs, '{sign}=', expected '{sign}', "
                "or quotes around a value that begins with '='",
            )
        self.assert_holds('reason="=x"', reason="=x")


class NumberTests(FilterTests):
    """Fields with numbers."""

    def test_comparisons(self) -> None:
        """Each sign compares as it says, at the bound itself too."""
        for sign, below, at, above in (
            (">", False, False, True),
            (">=", False, True, True),
            ("<", True, False, False),
            ("<=", True, True, False),
            ("=", False, True, False),
            (":", False, True, False),
            ("!=", True, False, True),
        ):
            for value, expected in ((29.9, below), (30, at), (30.0, at), (31, above)):
                row = {"oldest_seconds": value}
                self.assertIs(
                    expected, holds(f"oldest{sign}30", row), f"{sign} {value}"
                )

    def test_not_known(self) -> None:
        """What is not known is neither more, nor less, nor equal; but it differs."""
        for sign in (">", ">=", "<", "<=", "=", ":"):
            self.assert_not(f"stale_seconds{sign}0")
            self.assert_holds(f"!stale_seconds{sign}0")
        self.assert_holds("stale_seconds!=0")
        self.assert_holds("stale_seconds=-")
        self.assert_holds("stale_seconds:-")
        self.assert_not("stale_seconds!=-")
        self.assert_not("waiting=-")
        self.assert_holds("waiting!=-")

    def test_units(self) -> None:
        """Each kind of number has its units, which are exact."""
        for text, value in (
            ("oldest=500ms", 0.5),
            ("oldest=30", 30),
            ("oldest=1.5s", 1.5),
            ("oldest=5m", 300.0),
            ("oldest=2h", 7200.0),
            ("oldest=1d", 86400.0),
            ("pool_worst=80%", 0.8),
            ("pool_worst=0.8", 0.8),
            ("pool_worst=10", 10),
            ("pool_worst=1020%", 10.2),
            ("pool_worst=.8", 0.8),
            ("pool_worst=7%", 0.07),
            ("pool_worst=100%", 1.0),
            ("conn=63", 63),
            ("conn=1k", 1000),
            ("conn=1.5k", 1500),
            ("conn=2M", 2_000_000),
            ('conn="63"', 63),
            ("ckoutpersec=0.1", 0.1),
            ("ckoutpersec=1.2k", 1200.0),
            ("conn=-1", -1),
            ("conn=9007199254740993", 9007199254740993),
        ):
            name = next(iter(parse(text, VIEWS[PROGRAMS]).fields))
            self.assertTrue(holds(text, {name: value}), text)
            self.assertFalse(holds(text, {name: value + 1}), text)
        self.assert_not("conn=9007199254740993", conn=9007199254740992)

    def test_bad_numbers(self) -> None:
        """What is no number of the field's kind is refused with what would be."""
        for text, value, name, expected in (
            ("conn>1m", "1m", "conn", "a number such as 5, 1k or 1M"),
            ("ckoutpersec<1%", "1%", "ckoutpersec", "a number such as 0.5, 1k or 1M"),
            ("pool<80s", "80s", "pool_worst", "a share such as 80% or 0.8"),
            ("pool>80", "80", "pool_worst", "a share such as 80% or 0.8"),
            (
                "oldest>30S",
                "30S",
                "oldest_seconds",
                "a duration such as 500ms, 30s, 5m, 2h or 1d",
            ),
            (
                "conn=x",
                "x",
                "conn",
                "a number such as 5, 1k or 1M, or - for not known",
            ),
        ):
            self.assert_wrong(
                text, f"'{text}' has '{value}' for {name}, expected {expected}"
            )
        for value in (
            "1e5",
            "nan",
            "inf",
            "+1",
            "1_0",
            "0x1",
            "٣",
            "1.",
            "9" * 31,
            "-",
        ):
            self.assertRaises(QueryError, parse, f"conn>{value}", VIEWS[PROGRAMS])
        self.assertRaises(QueryError, parse, 'conn="-"', VIEWS[PROGRAMS])

    @QUICK
    @given(st.integers(0, 10**9), st.floats(0, 1e9), st.data())
    def test_as_python_compares(
        self, figure: int, value: float, data: st.DataObject
    ) -> None:
        """A plain bound compares as it does in Python, of whatever kind the field."""
        share = data.draw(st.integers(0, 10))
        for name in ("conn", "oldest_seconds", "ckoutpersec", "pool_worst"):
            bound = share if name == "pool_worst" else figure
            for text, expected in (
                (f"{name}>{bound}", value > bound),
                (f"{name}>={bound}", value >= bound),
                (f"{name}<{bound}", value < bound),
                (f"{name}<={bound}", value <= bound),
                (f"{name}!={bound}", value != bound),
            ):
                self.assertEqual(expected, holds(text, {name: value}))


class FlagTests(FilterTests):
    """Fields that are yes or no."""

    def test_words(self) -> None:
        """A flag goes by any of its words, with either sign."""
        for sign in (":", "="):
            for word in ("yes", "TRUE", "1"):
                self.assert_holds(f"connected{sign}{word}")
                self.assert_not(f"connected{sign}{word}", connected=False)
            for word in ("no", "False", "0"):
                self.assert_holds(f"connected{sign}{word}", connected=False)
                self.assert_not(f"connected{sign}{word}")
                self.assert_not(f"connected{sign}{word}", connected=None)
        self.assert_holds("connected!=no")
        self.assert_holds("connected!=no", connected=None)
        self.assert_holds("connected:-", connected=None)
        self.assert_not("connected=-")

    def test_other_words(self) -> None:
        """Any other word is refused."""
        for text in ("connected:y", "connected=maybe", "connected!=2"):
            error = self.assertRaises(QueryError, parse, text, VIEWS[PROGRAMS])
            self.assertIn("expected yes or no, or - for not known", str(error))


class StrangeValueTests(FilterTests):
    """Values that a field should not have."""

    def test_other_types_do_not_match(self) -> None:
        """A value of another kind matches nothing, so it differs from anything."""
        for name, term, strange in (
            ("conn", "=1", True),
            ("conn", ">=0", "5"),
            ("conn", ">=0", Decimal(5)),
            ("conn", "<=0", float("nan")),
            ("oldest_seconds", ">1", (5,)),
            ("connected", ":yes", 1),
            ("connected", ":no", 0),
            ("connected", ":yes", "yes"),
            ("reason", ":a", ("a",)),
            ("reason", '=""', b""),
            ("reason", ":5", 5),
        ):
            self.assert_not(name + term, **{name: strange})
            self.assert_holds(f"!{name}{term}", **{name: strange})
            self.assert_holds(f"{name}!=1", **{name: strange})
            self.assert_holds(f"{name}!=-", **{name: strange})
        self.assertFalse(holds("remarks:a", {"remarks": "a"}, NODES))
        self.assertFalse(holds("a", {"remarks": (b"a", 5, None)}, NODES))
        self.assertFalse(holds("a", {"hostname": ["a"]}, NODES))

    @QUICK
    @given(st.sampled_from([*VIEWS]), st.lists(VALUES, min_size=1), LIKELY)
    def test_never_raises(self, view: str, values: list[object], text: str) -> None:
        """No value makes a filter fail, and what it says is true or false."""
        fields = VIEWS[view].fields
        row = {each.name: values[i % len(values)] for i, each in enumerate(fields)}
        for each in fields:
            if each.kind is not Kind.SERIES:
                sign = ">=" if each.kind.is_number else ":"
                self.assertIn(holds(f"{each.name}{sign}1", row, view), (True, False))
                self.assertIn(holds(f"{each.name}=1", row, view), (True, False))
        self.assertIn(holds(literal(text[:99]), row, view), (True, False))


class MistakeTests(FilterTests):
    """What is not in the language is refused, in words, and never in any other way."""

    def test_signs_alone(self) -> None:
        """A sign negates nothing by itself."""
        for text in ("-", "!", "--", "!-"):
            message = (
                f"'{text}' has nothing after '{text}', expected a term there, "
                "or quotes around the whole if it is text"
            )
            self.assert_wrong(text, message)
            self.assert_wrong(f"nova {text} ctl1", message)

    def test_no_value(self) -> None:
        """A field with its sign wants a value right after it."""
        for sign in (":", "=", "!=", ">", ">=", "<", "<="):
            self.assert_wrong(
                f"conn{sign} 5",
                f"'conn{sign}' has nothing after '{sign}', expected a value there, "
                "or quotes around the whole if it is text",
            )

    def test_not_closed(self) -> None:
        """Quotes have an end."""
        for text in ('"', '"a b', 'host:"a b', '"a""', '-"""'):
            self.assert_wrong(
                text,
                f'{text!r} has a quote that is not closed, expected another " after it',
            )

    def test_after_quotes(self) -> None:
        """Nothing follows a closing quote but a blank."""
        self.assert_wrong(
            'nova "a b"c d',
            "'\"a b\"c' goes on after the closing quote, "
            'expected a blank there, or "" for a quote',
        )
        self.assertRaises(QueryError, parse, '"host":x', VIEWS[PROGRAMS])

    def test_quote_within(self) -> None:
        """A quote in the middle of a text could be meant in two ways."""
        for text in ('a"b', 'host:a"b"'):
            self.assert_wrong(
                f"nova {text} x",
                f"{text!r} has a quote within, expected quotes around the whole text, "
                'and "" for one in it',
            )

    def test_bounds(self) -> None:
        """Neither endless text nor endless terms are looked at."""
        self.assert_not("x" * LONGEST)
        self.assert_holds("nova " * MOST_TERMS)
        self.assert_wrong(
            "x" * (LONGEST + 1),
            f"'{'x' * 57}...' has 1001 characters, expected a filter of at most 1000",
        )
        self.assert_wrong(
            "nova " * MOST_TERMS + "api",
            "'api' is one term too many, expected at most 50 terms",
        )

    def test_harmless(self) -> None:
        """A message is one line that does nothing to a terminal, and not endless."""
        for text in (
            "\x1b]0;x\x07:y",
            "\n".join("ab:"),
            "conn=" + "\x1b" * 900,
            "!" * 999,
        ):
            error = self.assertRaises(QueryError, parse, text, VIEWS[PROGRAMS])
            self.assertTrue(str(error).isprintable())
            self.assertLess(len(str(error)), 600)

    @QUICK
    @given(st.sampled_from([*VIEWS]), LIKELY)
    def test_any_text(self, view: str, text: str) -> None:
        """Whatever is typed is a filter, or refused with what was expected."""
        try:
            found = parse(text, VIEWS[view])
        except QueryError as error:
            self.assertIn("expected", str(error))
            self.assertTrue(str(error).isprintable())
        else:
            names = {each.name for each in VIEWS[view].fields}
            self.assertLessEqual(found.fields, names)
            self.assertIn(found.holds(NOVA.get), (True, False))

    @QUICK
    @given(st.text(string.ascii_letters + ' "!-:<>=\u2003\x1c', max_size=30))
    def test_terms_are_independent(self, text: str) -> None:
        """A filter that is understood still is, and means the same, after another."""
        try:
            alone = holds(text)
        except QueryError:
            self.assertRaises(QueryError, parse, f"nova {text}", VIEWS[PROGRAMS])
        else:
            self.assertEqual(alone, holds(f"nova {text} ctl1"))
            self.assertFalse(holds(f"{text} absent"))


class TypicalTests(FilterTests):
    """Filters as they are typed on a bad day."""

    def test_pools_and_connections(self) -> None:
        """The other views answer the same language."""
        pool = {"pool_name": "postgresql://db1/nova", "pre_ping": False, "conn": 5}
        self.assertTrue(holds("database:postgresql://db1 ping:no conn<10", pool, POOLS))
        out = {"state": "out", "site": "nova/db/api.py:412", "out_seconds": 301.0}
        self.assertTrue(holds("out>5m site:api.py:412 -state=idle", out, CONNECTIONS))
        event = {"severity": "warn", "text": "node3 is down", "age_seconds": 50.0}
        self.assertTrue(holds('sev=warn age<1m "is down"', event, EVENTS))
