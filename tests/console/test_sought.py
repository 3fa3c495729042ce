"""What a session is looked for by, in all the ways in which it is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.sought import Sought, parse
from connmon.errors import QueryError
from connmon.views.answer import checked
from connmon.views.query import Query
from connmon.views.schema import CONNECTIONS


def refused(text: str) -> str:
    """Why, in words."""
    try:
        parse(text)
    except QueryError as error:
        return str(error)
    raise AssertionError(f"{text!r} was understood")


class ParseTests(SynchronousTestCase):
    """``parse``."""

    def test_ids(self) -> None:
        """Digits are the server's id of a session."""
        for text, number in (("48197", 48197), ("1", 1), (str(2**63 - 1), 2**63 - 1)):
            self.assertEqual(Sought(text, session=number), parse(text))
            self.assertEqual("session", parse(text).by)

    def test_addresses(self) -> None:
        """However servers, proxies and tools write them."""
        for text, address in (
            ("10.0.0.5:53211", "10.0.0.5:53211"),
            ("10.0.0.5(53211)", "10.0.0.5:53211"),
            ("10.0.0.5.53211", "10.0.0.5:53211"),
            ("10.0.0.5%eth0:53211", "10.0.0.5:53211"),
            ("10.0.0.5:05", "10.0.0.5:5"),
            ("[::1]:5", "[::1]:5"),
            ("::1:5", "[::1]:5"),
            ("::1.5", "[::1]:5"),
            ("::1(5)", "[::1]:5"),
            ("::1:53211", "[::1]:53211"),
            ("[FD00:0:0::5]:53211", "[fd00::5]:53211"),
            ("fd00::5:53211", "[fd00::5]:53211"),
            ("[fe80::1%eth0]:53211", "[fe80::1]:53211"),
            ("[::ffff:10.0.0.5]:53211", "10.0.0.5:53211"),
            ("::ffff:10.0.0.5:53211", "10.0.0.5:53211"),
            ("::ffff:10.0.0.5.53211", "10.0.0.5:53211"),
            ("[::ffff:a00:5]:53211", "10.0.0.5:53211"),
            ("1:2:3:4:5:6:7:8:9", "[1:2:3:4:5:6:7:8]:9"),
        ):
            self.assertEqual(Sought(text, address=address), parse(text))
            self.assertEqual("address", parse(text).by)

    def test_ports(self) -> None:
        """Of a name, and where there is no host, only the port is looked for."""
        for text, name in (
            (":53211", ""),
            ("app1.prod:53211", "app1.prod"),
            ("localhost:53211", "localhost"),
            ("app_1(53211)", "app_1"),
            ("db-1.prod.:53211", "db-1.prod."),
        ):
            self.assertEqual(Sought(text, port=53211, name=name), parse(text))
            self.assertEqual("port", parse(text).by)

    def test_mistakes(self) -> None:
        """They are named, with what was expected."""
        for text, said in (
            ("0", "'0' is no session id"),
            (str(2**63), "is no session id"),
            ("9" * 100_000, "is no session id"),
            ("-5", "'-5' is neither id nor address"),
            ("", "'' is neither id nor address"),
            ("x", "'x' is neither id nor address"),
            ("10.0.0.5", "'10.0.0.5' is neither id nor address"),
            ("[::1]", "'[::1]' is neither id nor address"),
            ("unix:/run/x", "is neither id nor address"),
            ("10.0.0.5:0", "bad port '0' in '10.0.0.5:0'"),
            ("10.0.0.5:65536", "bad port '65536'"),
            ("10.0.0.5:" + "9" * 5000, "bad port"),
            ("10.0.0:5", "bad host '10.0.0' in '10.0.0:5'"),
            ("300.0.0.1:5", "bad host '300.0.0.1'"),
            ("-h:5", "bad host '-h'"),
            ("a b:5", "bad host 'a b'"),
            ("a\x1b[2J:5", "bad host 'a\\x1b[2J'"),
            ("x" * 256 + ":5", "bad host"),
            ("*:5", "bad host '*'"),
            ("[nohost]:5", "bad host 'nohost'"),
            ("\u0661:\u0662", "bad port"),
        ):
            found = refused(text)
            self.assertIn(said, found)
            self.assertIn("expected a session id such as 48197, or an address", found)
            self.assertTrue(found.isprintable(), found)
            self.assertLess(len(found), 400)

    @given(st.text(max_size=30) | st.text("0123456789abf:.[]()%x", max_size=30))
    def test_any_text(self, text: str) -> None:
        """It is understood, or refused; what is asked of a node can be asked."""
        try:
            found = parse(text)
        except QueryError:
            return
        self.assertEqual(text, found.text)
        checked(found.query())

    @given(st.ip_addresses(), st.integers(1, 65535))
    def test_any_address(self, host: object, port: int) -> None:
        """It is the same in each of the ways."""
        plain = str(host)
        bracketed = f"[{plain}]:{port}" if ":" in plain else f"{plain}:{port}"
        for text in (f"{plain}:{port}", f"{plain}.{port}", f"{plain}({port})"):
            self.assertEqual(parse(bracketed).address, parse(text).address, text)
            self.assertTrue(parse(text).address.endswith(f":{port}"))


class QueryTests(SynchronousTestCase):
    """What a node is asked for, and which answers fit."""

    def test_queries(self) -> None:
        """The node looks for it; of a port it may find too many."""
        for text, query in (
            ("7", Query(CONNECTIONS, scope=(("server_session", 7),))),
            ("::1:5", Query(CONNECTIONS, scope=(("address", "[::1]:5"),))),
            (":5", Query(CONNECTIONS, where=('address:":5"',))),
            ("app:5", Query(CONNECTIONS, where=('address:":5"',))),
        ):
            self.assertEqual(query, parse(text).query())
            checked(query)

    def test_ports_fit_exactly(self) -> None:
        """Not where others begin so, or in the middle of an address."""
        for address, fits in (
            ("10.0.0.5:53", True),
            ("[fd00::53]:53", True),
            ("10.0.0.5:532", False),
            ("[fd00::53]:5", False),
            ("10.0.0.5:153", False),
            (None, False),
        ):
            self.assertEqual(fits, parse(":53").fits({"address": address}), address)
        self.assertTrue(parse("7").fits({}))
