"""Tests of connmon.config: the format's rules, its mistakes, and arbitrary text."""

from __future__ import annotations

import os
import re
import string
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import tests.properties  # noqa: F401
from connmon.config import (
    BUILTIN,
    DEFAULT_PATH,
    DEFAULT_PORT,
    DEFAULT_SERVICE,
    DEFAULT_STALE_AFTER,
    Address,
    AnyAddress,
    Config,
    Database,
    Node,
    Service,
    UnixAddress,
    load,
    parse,
    parse_address,
)
from connmon.errors import ConfigError

SAMPLE = Path(__file__).parent.parent / "connmon.cfg"

# The suite runs beside others: an example's time says nothing about the code.
patient = settings(deadline=None, max_examples=150)


def node(
    name: str = "node1",
    hostname: str = "localhost:5800",
    *binds: str,
) -> Node:
    """A node, by its addresses as text; it listens everywhere unless told otherwise."""
    listens = tuple(map(parse_address, binds or ["0.0.0.0:5800"]))
    return Node(name, parse_address(hostname), listens)


def one_service(nodes: str, name: str = "default") -> str:
    """The text of a config with one service; ``nodes`` is all its node lines."""
    return f"[connmon_service_default]\nname: {name}\nnodes:\n{nodes}\n"


class ConfigTestCase(SynchronousTestCase):
    """What the tests of this module share."""

    def nodes_of(self, text: str) -> tuple[Node, ...]:
        """The nodes of the text's only service, which must parse without a warning."""
        config = parse(text, "FILE")
        self.assertEqual((), config.warnings)
        (service,) = config.services
        return service.nodes

    def assert_mistake(self, text: str, *expected: str) -> None:
        """The text is a mistake, whose message begins and goes on as ``expected``."""
        message = str(self.assertRaises(ConfigError, parse, text, "FILE"))
        self.assertEqual(expected[0], message[: len(expected[0])])
        for part in expected[1:]:
            self.assertIn(part, message)
        self.assertTrue(message.isprintable(), message)


class AddressTests(SynchronousTestCase):
    """HOST, HOST:PORT, [IPv6] and [IPv6]:PORT."""

    def assert_bad(self, text: str, message: str, allow_zero: bool = False) -> None:
        """The text is no address, and the message says exactly this."""
        error = self.assertRaises(
            ConfigError, parse_address, text, allow_zero=allow_zero
        )
        self.assertEqual(message, str(error))

    def test_host_and_port(self) -> None:
        """Both are taken as written."""
        for host in ("localhost", "192.168.1.205", "db-1.example.com", "my_host", "é"):
            self.assertEqual(Address(host, 80), parse_address(f"{host}:80"))

    def test_port_left_out(self) -> None:
        """The default is 5800, or what the caller says."""
        self.assertEqual(5800, DEFAULT_PORT)
        self.assertEqual(Address("h", 5800), parse_address("h"))
        self.assertEqual(Address("h", 7), parse_address("h", 7))
        self.assertEqual(Address("::1", 7), parse_address("[::1]", 7))

    def test_ipv6(self) -> None:
        """A literal stands in brackets, with a zone or without."""
        self.assertEqual(Address("::1", 80), parse_address("[::1]:80"))
        self.assertEqual(
            Address("fe80::1%eth0", 80), parse_address("[fe80::1%eth0]:80")
        )

    def test_as_text(self) -> None:
        """An address reads as it is written, with its port."""
        self.assertEqual("h:80", str(Address("h", 80)))
        self.assertEqual("[::1]:80", str(Address("::1", 80)))

    def test_ipv6_without_brackets(self) -> None:
        """The message says to put it in brackets."""
        self.assert_bad(
            "::1",
            "'::1' is an IPv6 address without brackets, expected [::1] or [IPv6]:PORT",
        )

    def test_too_many_colons(self) -> None:
        """What is not even IPv6 is told both forms."""
        self.assert_bad(
            "http://h:80",
            "too many colons in 'http://h:80', "
            "expected HOST[:PORT], or [IPv6][:PORT] with the brackets",
        )

    def test_bad_port(self) -> None:
        """Only plain digits from 1 to 65535 are a port."""
        for port in ("abc", "", "0", "65536", "-1", "+80", "8_0", "٣", "9" * 5000):
            error = self.assertRaises(ConfigError, parse_address, f"h:{port}")
            self.assertIn("bad port", str(error))
            self.assertIn("a port from 1 to 65535", str(error))
        self.assert_bad(
            "host:abc",
            "bad port 'abc' in 'host:abc', "
            "expected HOST[:PORT] with a port from 1 to 65535",
        )
        self.assertEqual(Address("h", 65535), parse_address("h:65535"))

    def test_port_zero(self) -> None:
        """It is taken where the caller wants any free port."""
        self.assertEqual(Address("h", 0), parse_address("h:0", allow_zero=True))
        self.assert_bad(
            "h:-1",
            "bad port '-1' in 'h:-1', expected HOST[:PORT] with a port from 0 to 65535",
            allow_zero=True,
        )

    def test_bad_host(self) -> None:
        """What no resolver could take, or is an evident slip, is refused."""
        slips = ["*", "a/b", "u@h", "a,b", '"h"', "a..b", ".a", "5800", "--"]
        for host in (*slips, "256.1.1.1", "-h", "a" * 64, "a." * 130, "\udcff"):
            error = self.assertRaises(ConfigError, parse_address, host)
            self.assertIn("expected HOST[:PORT]", str(error))

    def test_no_host(self) -> None:
        """An empty text and a port alone are refused."""
        self.assert_bad("", "empty address, expected HOST[:PORT] or unix:/PATH")
        self.assert_bad(":80", "no host in ':80', expected HOST[:PORT] or unix:/PATH")

    def test_whitespace(self) -> None:
        """None is allowed, not even around the address."""
        for text in (
            "unix:/a b",
            "unix:/a\n",
            "unix:/\udcff",
            " h",
            "h ",
            "h h",
            "h\n",
            "h:80 ",
            "h\u00a0",
            "[::1] ",
        ):
            error = self.assertRaises(ConfigError, parse_address, text)
            self.assertIn("whitespace", str(error))

    def test_bad_brackets(self) -> None:
        """They hold an IPv6 literal, and only a port follows them."""
        for text in ("[::1", "[::1]80", "[", "[::1]]"):
            error = self.assertRaises(ConfigError, parse_address, text)
            self.assertIn("bad brackets", str(error))
        for text in ("[localhost]", "[]", "[1.2.3.4]:80", "[::g]"):
            error = self.assertRaises(ConfigError, parse_address, text)
            self.assertIn("bad IPv6 address", str(error))
        self.assertRaises(ConfigError, parse_address, "[::1]:")

    def test_unix(self) -> None:
        """An absolute path, as it is; the three slashes of a URL are one."""
        for text in ("unix:/run/connmon.sock", "unix:///run/connmon.sock"):
            address = parse_address(text)
            self.assertEqual(UnixAddress("/run/connmon.sock"), address)
            self.assertEqual("unix:/run/connmon.sock", str(address))
        for path in ("/a", "/a:b@[c]=#%2F+&", "/ü/..//b", "/" + "x" * 106):
            self.assertEqual(UnixAddress(path), parse_address(f"unix:{path}"))

    def test_unix_relative(self) -> None:
        """Where a program runs is chance; a file named by a directory is none."""
        for path in ("run/c", "", "c", "./c", "//run/c", "~/c", "/", "/run/", "5800"):
            self.assert_bad(
                f"unix:{path}",
                f"'{path}' in 'unix:{path}' is no absolute path of a file, "
                "expected unix:/PATH with an absolute path",
            )

    def test_unix_abstract(self) -> None:
        """Anyone may take such a name, so it is not taken for an address."""
        self.assert_bad(
            "unix:@connmon",
            "abstract name '@connmon' in 'unix:@connmon', "
            "expected unix:/PATH with an absolute path",
        )

    def test_unix_too_long(self) -> None:
        """The kernel counts bytes, not letters."""
        for path, size in (("/" + "x" * 107, 108), ("/" + "ü" * 54, 109)):
            error = self.assertRaises(ConfigError, parse_address, f"unix:{path}")
            self.assertIn(
                f"has {size} bytes, expected unix:/PATH with a path of at most 107",
                str(error),
            )

    def test_unix_without_its_prefix(self) -> None:
        """A path alone is told what it lacks."""
        self.assert_bad("/run/c", "'/run/c' is a path, expected unix:/run/c")

    @patient
    @given(
        st.text()
        | st.text("[]:%.019afx")
        | st.text("/.@x").map(lambda path: f"unix:{path}")
    )
    def test_arbitrary_text(self, text: str) -> None:
        """It is an address which reads back as the same one, or a ConfigError."""
        try:
            address = parse_address(text)
        except ConfigError as error:
            self.assertTrue(str(error).isprintable())
        else:
            self.assertEqual(address, parse_address(str(address)))


class FormatTests(ConfigTestCase):
    """What may be written, and what it means."""

    def test_original_sample(self) -> None:
        """The original README's file, with its indentation, is understood."""
        text = (
            "\t# sample config, listen on 0.0.0.0:5800 and clients\n"
            "\t# will connect to 192.168.1.205:5800\n"
            "\t[connmon_service_default]\n"
            "\tname: default\n"
            "\n"
            "\tnodes:\n"
            "\t    node1 hostname=192.168.1.205:5800\n"
        )
        expected = Service("default", (node(hostname="192.168.1.205:5800"),))
        self.assertEqual(Config("FILE", (expected,), ()), parse(text, "FILE"))

    def test_several_nodes(self) -> None:
        """They keep the file's order."""
        nodes = self.nodes_of(one_service("  b hostname=h1\n  a hostname=h2"))
        self.assertEqual(["b", "a"], [each.name for each in nodes])

    def test_first_node_on_the_keys_line(self) -> None:
        """A node may stand right after the key."""
        text = (
            "[connmon_service_a]\nname: a\nnodes: n1 hostname=h1\n    n2 hostname=h2\n"
        )
        self.assertEqual(
            (node("n1", "h1"), node("n2", "h2")),
            self.nodes_of(text),
        )

    def test_defaults(self) -> None:
        """Port 5800; bind is everywhere, at the hostname's port."""
        for line, hostname, bind in (
            ("hostname=h", "h:5800", "0.0.0.0:5800"),
            ("hostname=h:81", "h:81", "0.0.0.0:81"),
            ("hostname=[::1]:81", "[::1]:81", "[::]:81"),
            ("hostname=h:81 bind=127.0.0.1", "h:81", "127.0.0.1:81"),
            ("hostname=h:81 bind=127.0.0.1:82", "h:81", "127.0.0.1:82"),
            ("hostname=h:81 bind=[::1]", "h:81", "[::1]:81"),
            ("bind=[::1]:82 hostname=h", "h:5800", "[::1]:82"),
            ("hostname=unix:/run/c", "unix:/run/c", "unix:/run/c"),
            ("hostname=unix:/run/c bind=0.0.0.0", "unix:/run/c", "0.0.0.0:5800"),
            ("hostname=h:81 bind=unix:/run/c", "h:81", "unix:/run/c"),
        ):
            expected = (node("node1", hostname, bind),)
            self.assertEqual(expected, self.nodes_of(one_service(f"  node1 {line}")))

    def test_several_binds(self) -> None:
        """A node listens on each, in the order they are given."""
        line = "  n bind=0.0.0.0 hostname=h:81 bind = unix:/run/c.sock bind=[::1]:82"
        expected = node("n", "h:81", "0.0.0.0:81", "unix:/run/c.sock", "[::1]:82")
        self.assertEqual((expected,), self.nodes_of(one_service(line)))

    def test_a_path_that_ends_with_an_equals_sign(self) -> None:
        """It does not take the next option in."""
        line = "  n hostname=unix:/a= bind=unix:/b="
        expected = node("n", "unix:/a=", "unix:/b=")
        self.assertEqual((expected,), self.nodes_of(one_service(line)))

    def test_separators_and_case(self) -> None:
        """A key ends with a colon or an equals sign, in any case and spacing."""
        text = (
            "[connmon_service_a]\nNAME =  x=y:z \nNodes= \n n HostName = h  BIND= h2\n"
        )
        service = parse(text, "FILE").services[0]
        self.assertEqual(Service("x=y:z", (node("n", "h:5800", "h2:5800"),)), service)

    def test_comments(self) -> None:
        """A hash begins one after whitespace, a semicolon only at a line's start."""
        text = (
            "; one\n# two\n[connmon_service_a] # three\n"
            "name: a#b\t# four\n"
            "nodes: # five\n"
            "    # six hostname=h6\n"
            "\n \t \n"
            "    ; seven hostname=h7\n"
            "# eight\n"
            "; nine\n"
            "    n#1;x hostname=h # ten\n"
        )
        service = parse(text, "FILE").services[0]
        self.assertEqual(Service("a#b", (node("n#1;x", "h"),)), service)

    def test_semicolon_within_a_line(self) -> None:
        """It begins no comment there."""
        self.assert_mistake(
            one_service("  n hostname=h ; x"),
            "FILE: [connmon_service_default] line 4: nodes: "
            "node 'n' has an unknown option ';'",
        )

    def test_line_ends_and_byte_order_mark(self) -> None:
        """Files written on other systems read the same."""
        text = one_service("  n hostname=h")
        for other in (
            text.replace("\n", "\r\n"),
            text.replace("\n", "\r"),
            "\ufeff" + text,
            text.rstrip("\n"),
        ):
            self.assertEqual(parse(text, "FILE"), parse(other, "FILE"))

    def test_line_numbers_with_other_line_ends(self) -> None:
        """A line counts once, however it ends."""
        for end in ("\n", "\r\n", "\r"):
            self.assert_mistake(
                one_service("  n host=h").replace("\n", end),
                "FILE: [connmon_service_default] line 4: nodes: node 'n' has an",
            )

    def test_indentation(self) -> None:
        """A tab reaches to the next multiple of 8; a header ends what was indented."""
        text = (
            "[connmon_service_a]\n    nodes:\n\tn hostname=h\nname: a\n"
            "[connmon_service_b]\n    name: b\n    nodes:\n\tn hostname=h\n"
        )
        config = parse(text, "FILE")
        self.assertEqual(["a", "b"], [each.name for each in config.services])

    def test_node_named_like_a_key(self) -> None:
        """With a hostname it is a node."""
        (only,) = self.nodes_of(one_service("  name:x hostname=h"))
        self.assertEqual("name:x", only.name)

    def test_keys_in_either_order(self) -> None:
        """The name may follow the nodes."""
        text = "[connmon_service_a]\nnodes:\n n hostname=h\nname: a\n"
        self.assertEqual((node("n", "h"),), self.nodes_of(text))

    def test_several_services(self) -> None:
        """Each is known by its name, not by its section's."""
        text = one_service(" n hostname=h", "x") + (
            "[ connmon_service_other ]\nname: default\nnodes: n hostname=h2\n"
        )
        config = parse(text, "FILE")
        self.assertEqual(["x", "default"], [each.name for each in config.services])
        self.assertEqual("h2:5800", str(config.service("default").nodes[0].hostname))

    def test_logging_sections(self) -> None:
        """They are passed over, whatever they hold."""
        text = (
            "[loggers]\nkeys = root\n no key at all\n\n"
            "[logger_root]\nlevel=WARN\nlevel=WARN\nhandlers=\n  [a]\n  b\n"
            "[handlers]\nnot a key\n[handler_console]\nclass = StreamHandler\n"
            "[formatters]\n[formatter_generic]\nformat = %(levelname)s [%(name)s]\n"
        )
        self.assertEqual(
            parse(one_service(" n hostname=h"), "FILE"),
            parse(text + one_service(" n hostname=h") + text, "FILE"),
        )

    def test_longest_name(self) -> None:
        """A name may have 255 characters, and be of any printable kind."""
        name = "ü[" + "x" * 253
        (only,) = self.nodes_of(one_service(f"  {name} hostname=h", name))
        self.assertEqual(name, only.name)


class WarningTests(ConfigTestCase):
    """What is odd but no mistake."""

    def test_unknown_key(self) -> None:
        """It is passed over, with the lines that continue it."""
        text = one_service(" n hostname=h") + "Color: red\n  blue: green\n  [x]\n"
        config = parse(text, "FILE")
        self.assertEqual((node("n", "h"),), config.services[0].nodes)
        self.assertEqual(
            (
                (
                    'FILE: [connmon_service_default] line 5: unknown key "color", '
                    "expected name, nodes, stale_after, databases or connmon_stacks"
                ),
            ),
            config.warnings,
        )

    def test_unknown_section(self) -> None:
        """It is passed over with all its content."""
        for name in ("other", "connmon_service", "connmon_service_", "loggers2"):
            text = one_service(" n hostname=h") + f"[{name}]\nno key\nname: x\n"
            self.assertEqual(
                (
                    (
                        f"FILE: [{name}] line 5: unknown section, "
                        "expected [connmon_service_NAME]"
                    ),
                ),
                parse(text, "FILE").warnings,
            )

    def test_punctuation_around_a_name(self) -> None:
        """It belongs to the name, which is hardly what was meant."""
        config = parse(one_service("  node1: hostname=h", '"default"'), "FILE")
        self.assertEqual('"default"', config.services[0].name)
        self.assertEqual(
            (
                (
                    "FILE: [connmon_service_default] line 2: name: service name "
                    "'\"default\"' has punctuation at its end, which is part of it, "
                    "expected none"
                ),
                (
                    "FILE: [connmon_service_default] line 4: nodes: node name "
                    "'node1:' has punctuation at its end, which is part of it, "
                    "expected none"
                ),
            ),
            config.warnings,
        )


class MistakeTests(ConfigTestCase):
    """What a user can get wrong, and what the message then says."""

    place = "FILE: [connmon_service_default] "

    def test_no_section(self) -> None:
        """A file without a service is told what it has instead."""
        for text in ("", "\n# x\n"):
            self.assert_mistake(
                text,
                "FILE: no section [connmon_service_NAME], found no section at all",
            )
        self.assert_mistake(
            "[loggers]\n[Connmon_Service_x]\n",
            "FILE: no section [connmon_service_NAME], "
            "found only [loggers], [Connmon_Service_x]",
        )

    def test_text_before_a_section(self) -> None:
        """The line is named."""
        self.assert_mistake(
            "\nname: x\n" + one_service(" n hostname=h"),
            "FILE: line 2: 'name: x' is before any section, "
            "expected [connmon_service_NAME]",
        )

    def test_bad_header(self) -> None:
        """A header has one pair of brackets, a name, and nothing after it."""
        for header in ("[connmon_service_a", "[]", "[ ]", "[", "[a] b", "[a]]"):
            for before in ("", "[loggers]\n", one_service(" n hostname=h")):
                line = before.count("\n") + 1
                self.assert_mistake(
                    before + header,
                    f"FILE: line {line}: bad section header '{header}', expected [con",
                )

    def test_indented_header(self) -> None:
        """A header after a node, indented like one, is recognised."""
        self.assert_mistake(
            one_service("  n hostname=h\n  [connmon_service_b]\n  name: b"),
            self.place + "line 5: nodes: the section header '[connmon_service_b]' is",
        )

    def test_section_twice(self) -> None:
        """Both lines are named."""
        text = one_service(" n hostname=h")
        self.assert_mistake(
            text + text,
            self.place + "line 5: the same section began on line 1 already",
        )

    def test_service_twice(self) -> None:
        """Both lines are named."""
        self.assert_mistake(
            one_service(" n hostname=h")
            + "[connmon_service_b]\nname: default\nnodes: n hostname=h\n",
            "FILE: [connmon_service_b] line 6: name: "
            "service 'default' was named on line 2 already",
        )

    def test_node_twice(self) -> None:
        """Both lines are named."""
        self.assert_mistake(
            one_service(" n hostname=h\n # x\n n hostname=h2"),
            self.place + "line 6: nodes: node 'n' was given on line 4 already",
        )

    def test_key_twice(self) -> None:
        """Both lines are named."""
        self.assert_mistake(
            one_service(" n hostname=h") + "NAME= x\n",
            self.place + "line 5: name: key was given on line 2 already",
        )

    def test_missing_key(self) -> None:
        """The section's line is named, and the keys it has."""
        self.assert_mistake(
            "\n[connmon_service_default]\nnodes: n hostname=h\n",
            self.place + "line 2: no key name, expected name: NAME (keys found: nodes)",
        )
        self.assert_mistake(
            "[connmon_service_default]\nname: x\nnodez:\n n hostname=h\n",
            self.place + "line 1: no key nodes, expected nodes: one NODE hostname=",
            "(keys found: name, nodez)",
        )
        self.assert_mistake(
            "[connmon_service_default]\n",
            self.place + "line 1: no key name",
            "(keys found: none)",
        )

    def test_empty_value(self) -> None:
        """A key with nothing but comments has no value."""
        self.assert_mistake(
            one_service("  # n hostname=h"),
            self.place + "line 3: nodes: nothing given, expected nodes: one NODE host",
        )
        self.assert_mistake(
            one_service("  n hostname=h", "# x"),
            self.place + "line 2: name: nothing given, expected name: NAME",
        )

    def test_no_key(self) -> None:
        """A line without a separator is no key."""
        for line in ("nodes", ": x", "="):
            self.assert_mistake(
                f"[connmon_service_default]\n{line}\n",
                self.place + f"line 2: '{line}' is no key, expected name:, nodes:, "
                "stale_after:, databases: or connmon_stacks:",
            )

    def test_node_not_indented(self) -> None:
        """The message says where a node's line begins."""
        for line in ("node1 hostname=h:80", "node1: hostname=h", "a b c=d"):
            self.assert_mistake(
                one_service(line),
                self.place + f"line 4: '{line}' is not indented, expected name:, n",
                "indented further than its nodes:",
            )

    def test_key_indented(self) -> None:
        """A key indented under another one is recognised."""
        self.assert_mistake(
            "[connmon_service_default]\nname: default\n  nodes:\n    n hostname=h\n",
            self.place + "line 3: name: 'nodes:' is indented, so it continues name",
        )
        self.assert_mistake(
            "[connmon_service_default]\nnodes:\n    n hostname=h\n  name: default\n"
            "name: x\n",
            self.place + "line 4: nodes: 'name: default' is indented, so it is read as",
        )

    def test_bad_name(self) -> None:
        """A name is one printable word of at most 255 characters."""
        self.assert_mistake(
            one_service(" n hostname=h", "my service"),
            self.place + "line 2: name: service name 'my service' has whitespace",
        )
        self.assert_mistake(
            one_service(" n\x1b[2J hostname=h"),
            self.place + "line 4: nodes: node name 'n\\x1b[2J' has whitespace or unpri",
        )
        self.assert_mistake(
            one_service(" n hostname=h", "x" * 256),
            self.place + "line 2: name: service name 'xxx",
            "has 256 characters, expected at most 255",
        )

    def test_node_name_with_whitespace(self) -> None:
        """Its second word is no option."""
        self.assert_mistake(
            one_service(" my node hostname=h"),
            self.place + "line 4: nodes: node 'my' has an unknown option 'node', exp",
            "no whitespace in a name",
        )

    def test_node_without_a_name(self) -> None:
        """A line that begins with an option has no node name."""
        for line in ("hostname=h", "HOSTNAME = h", "bind=h hostname=h"):
            self.assert_mistake(
                one_service(f" {line}"),
                self.place + f"line 4: nodes: '{line}' has no node name, expected NODE",
            )

    def test_no_hostname(self) -> None:
        """The node is named, and what is expected."""
        for line in ("n", "n bind=h"):
            self.assert_mistake(
                one_service(f" {line}"),
                self.place + "line 4: nodes: node 'n' has no hostname=, "
                "expected NODE hostname=ADDRESS [bind=ADDRESS]..., each HOST[:PORT] or "
                "unix:/PATH",
            )

    def test_unknown_option(self) -> None:
        """The node is named, and what is expected."""
        for word in ("host=h", "h:5800", "hostname:h", "=h", "port=80"):
            self.assert_mistake(
                one_service(f" n {word}"),
                self.place + f"line 4: nodes: node 'n' has an unknown option '{word}', "
                "expected NODE hostname=ADDRESS [bind=ADDRESS]..., each HOST[:PORT] or "
                "unix:/PATH",
            )

    def test_option_twice(self) -> None:
        """It may be a second node on the line."""
        self.assert_mistake(
            one_service(" n hostname=h Hostname=h2"),
            self.place + "line 4: nodes: node 'n' has hostname= twice",
        )

    def test_bind_twice(self) -> None:
        """Several may be given, but each once; it is named as it is understood."""
        for binds, named in (
            ("bind=h:5800 bind=h", "h:5800"),
            ("bind=unix:/a bind=0.0.0.0 bind=unix:///a", "unix:/a"),
        ):
            self.assert_mistake(
                one_service(f" n hostname=h {binds}"),
                self.place + f"line 4: nodes: node 'n' has bind={named} twice, "
                "expected each once",
            )

    def test_bad_address(self) -> None:
        """File, section, line and key come before what the address's message says."""
        for options, message in (
            (
                "hostname=h:abc",
                "bad port 'abc' in 'h:abc', expected HOST[:PORT] with a",
            ),
            ("hostname=h:0", "bad port '0' in 'h:0', expected HOST[:PORT] with a port"),
            ("hostname=h bind=h:0", "bad port '0' in 'h:0', expected HOST[:PORT] wi"),
            (
                "hostname=::1",
                "'::1' is an IPv6 address without brackets, expected [::1]",
            ),
            ("hostname=", "empty address, expected HOST[:PORT]"),
            ("hostname=h bind=*", "bad host '*' in '*', expected HOST[:PORT]"),
            (
                "hostname=h bind=0.0.0.0 bind=unix:run/c",
                "'run/c' in 'unix:run/c' is no absolute path of a file, expected",
            ),
        ):
            self.assert_mistake(
                one_service(f" n {options}"), self.place + "line 4: nodes: " + message
            )

    def test_long_text_is_cut(self) -> None:
        """A message stays one readable line, whatever the file holds."""
        for text in ("x" * 9999, f"[{'x' * 9999}", one_service(" n " + "x" * 9999)):
            error = self.assertRaises(ConfigError, parse, text, "FILE")
            self.assertLess(len(str(error)), 300)


class StacksTests(ConfigTestCase):
    """Whether it is told where the holders of connections are."""

    def text(self, *lines: str) -> str:
        """A config with these lines between name and nodes."""
        return one_service(" n hostname=h", "\n".join(["x", *lines]))

    def test_words(self) -> None:
        """It is, unless it says off, in whichever words."""
        for line, told in (
            ("", True),
            ("connmon_stacks: on", True),
            ("connmon_stacks=off", False),
            ("CONNMON_STACKS: Off # x", False),
            ("connmon_stacks: no", False),
            ("connmon_stacks: 1", True),
        ):
            config = parse(self.text(line), "FILE")
            self.assertEqual(((), told), (config.warnings, config.services[0].stacks))

    def test_mistakes(self) -> None:
        """File, section, line, key, and what was expected."""
        for text in ("maybe", "on off", "slow"):
            self.assert_mistake(
                self.text(f"connmon_stacks: {text}"),
                "FILE: [connmon_service_default] line 3: connmon_stacks: '",
                "', expected connmon_stacks: on or off",
            )
        self.assert_mistake(
            self.text("connmon_stacks:"),
            "FILE: [connmon_service_default] line 3: connmon_stacks: nothing given, "
            "expected connmon_stacks: on or off",
        )

    def test_among_the_nodes(self) -> None:
        """Indented below nodes it is not taken for a node."""
        self.assert_mistake(
            self.text().rstrip() + "\n connmon_stacks: off\n",
            "FILE: [connmon_service_default] line 5: nodes: 'connmon_stacks: off' is "
            "indented, so it is read as a node",
        )


class StaleAfterTests(ConfigTestCase):
    """For how long a node that nobody hears is still counted."""

    def text(self, *lines: str) -> str:
        """A config with these lines between name and nodes."""
        return one_service(" n hostname=h", "\n".join(["x", *lines]))

    def test_left_out(self) -> None:
        """Then it is two minutes."""
        (service,) = parse(self.text(), "FILE").services
        self.assertEqual(120.0, service.stale_after)
        self.assertEqual(120.0, DEFAULT_STALE_AFTER)
        self.assertEqual(service, Service("x", service.nodes))

    def test_seconds(self) -> None:
        """Whole ones or with decimals, from two heartbeats to a day."""
        for text, seconds in (
            ("60", 60.0),
            ("90.5", 90.5),
            ("0300", 300.0),
            ("86400", 86400.0),
            ("86400.0", 86400.0),
        ):
            for line in (f"stale_after: {text}", f"STALE_AFTER={text} # x"):
                config = parse(self.text(line), "FILE")
                self.assertEqual((), config.warnings)
                self.assertEqual(seconds, config.services[0].stale_after)

    def test_on_the_next_line(self) -> None:
        """It may be indented below its key, like every value."""
        config = parse(self.text("stale_after:", "  75"), "FILE")
        self.assertEqual(75.0, config.services[0].stale_after)

    def test_each_service_has_its_own(self) -> None:
        """One says nothing about another."""
        other = self.text().replace("default]", "b]").replace("name: x", "name: b")
        services = parse(self.text("stale_after: 75") + other, "FILE").services
        self.assertEqual([75.0, 120.0], [each.stale_after for each in services])

    def test_mistakes(self) -> None:
        """File, section, line, key, and what was expected."""
        for text in (
            "59.9",
            "0",
            "86400.1",
            "86401",
            "9" * 500,
            "-120",
            "+120",
            "nan",
            "inf",
            "1e3",
            ".5",
            "120.",
            "120s",
            "1_20",
            "1 20",
            "٣٣٣",
            "two minutes",
        ):
            self.assert_mistake(
                self.text(f"stale_after: {text}"),
                "FILE: [connmon_service_default] line 3: stale_after: '",
                "', expected stale_after: SECONDS, a number from 60 to 86400",
            )

    def test_nothing(self) -> None:
        """A key must have a value."""
        self.assert_mistake(
            self.text("stale_after: # 120"),
            "FILE: [connmon_service_default] line 3: stale_after: nothing given, "
            "expected stale_after: SECONDS",
        )

    def test_twice(self) -> None:
        """A key is given once."""
        self.assert_mistake(
            self.text("stale_after: 120", "stale_after: 120"),
            "FILE: [connmon_service_default] line 4: stale_after: key was given on "
            "line 3 already",
        )

    def test_continued(self) -> None:
        """A second line is a mistake that is explained."""
        self.assert_mistake(
            self.text("stale_after: 120", "  nodes: x"),
            "FILE: [connmon_service_default] line 4: stale_after: 'nodes: x' is "
            "indented, so it continues stale_after, expected one number, and each key",
        )

    def test_among_the_nodes(self) -> None:
        """Indented below nodes it is not taken for a node."""
        self.assert_mistake(
            one_service(" n hostname=h\n stale_after: 120"),
            "FILE: [connmon_service_default] line 5: nodes: 'stale_after: 120' is "
            "indented, so it is read as a node, expected a key",
        )


class ChoiceTests(SynchronousTestCase):
    """Taking a service from a config, and a node from a service."""

    several = Service("default", (node("node1"), node("node2")))

    def test_the_only_node(self) -> None:
        """It need not be named."""
        service = Service("default", (node(),))
        self.assertEqual(node(), service.node(None))
        self.assertEqual(node(), service.node("node1"))

    def test_one_of_several(self) -> None:
        """It has to be named."""
        self.assertEqual(node("node2"), self.several.node("node2"))
        error = self.assertRaises(ConfigError, self.several.node, None)
        self.assertEqual(
            "service 'default' has several nodes, choose one with --node: node1, node2",
            str(error),
        )

    def test_unknown_node(self) -> None:
        """The known ones are listed."""
        error = self.assertRaises(ConfigError, self.several.node, "x\n")
        self.assertEqual(
            "service 'default' has no node 'x\\n', expected one of: node1, node2",
            str(error),
        )

    def test_unknown_service(self) -> None:
        """The source is named and the known ones are listed."""
        config = Config("FILE", (self.several, Service("b", (node(),))), ())
        error = self.assertRaises(ConfigError, config.service, "x")
        self.assertEqual(
            "FILE: no service 'x', expected one of: default, b", str(error)
        )


class LoadTests(SynchronousTestCase):
    """Which file is read, and what is said of one that cannot be."""

    def written(self, content: bytes) -> str:
        """The path of a new file with this content."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        return str(path)

    def assert_refused(self, path: str, reason: str) -> None:
        """Loading it, named or as the default, is a mistake that names it."""
        first = str(self.assertRaises(ConfigError, load, path))
        second = str(self.assertRaises(ConfigError, load, default_path=path))
        self.assertEqual(first, second)
        self.assertIn(path, first)
        self.assertIn(reason, first)
        self.assertTrue(first.isprintable(), first)

    def test_explicit(self) -> None:
        """The file named is read, and the default is not."""
        path = self.written(one_service(" n hostname=h").encode())
        config = load(path, default_path=self.written(b"nonsense"))
        self.assertEqual(path, config.source)
        self.assertEqual("n", config.service(DEFAULT_SERVICE).node(None).name)

    def test_default(self) -> None:
        """Without a path the default file is read."""
        self.assertEqual("/etc/connmon.cfg", DEFAULT_PATH)
        path = self.written(one_service(" n hostname=h").encode())
        self.assertEqual(load(path), load(default_path=path))

    def test_built_in(self) -> None:
        """Without any file there is one node on this host."""
        expected = Service("default", (node("node1", "localhost:5800"),))
        self.assertEqual(
            Config("the built-in default", (expected,), ()),
            load(default_path=self.mktemp()),
        )

    def test_explicit_missing(self) -> None:
        """A file named but not there is a mistake."""
        path = self.mktemp()
        error = self.assertRaises(ConfigError, load, path)
        self.assertEqual(
            f"cannot read {path}: No such file or directory, "
            "expected a readable connmon.cfg",
            str(error),
        )
        self.assertRaises(ConfigError, load, "")

    def test_directory(self) -> None:
        """A directory is no config."""
        path = self.mktemp()
        os.mkdir(path)
        self.assert_refused(path, "Is a directory")

    def test_symlink_to_itself(self) -> None:
        """A file that is there but cannot be opened is refused, as root too."""
        path = self.mktemp()
        os.symlink(os.path.abspath(path), path)
        self.assert_refused(path, "symbolic links")

    def test_impossible_path(self) -> None:
        """A path no file system takes is refused."""
        error = self.assertRaises(ConfigError, load, "a\0b")
        self.assertIn("cannot read a\\x00b: ", str(error))
        self.assertTrue(str(error).isprintable())

    def test_undecodable(self) -> None:
        """The line of the first byte that is not UTF-8 is named."""
        self.assert_refused(self.written(b"# a\n# b\xff\n"), "line 2: byte 0xff is not")
        self.assert_refused(
            self.written(BUILTIN.encode("utf-16")), "line 1: byte 0xff is not UTF-8"
        )

    def test_endless(self) -> None:
        """A file of a size no config has is not read to its end."""
        self.assert_refused("/dev/zero", "larger than 1048576 bytes")

    def test_source_is_named(self) -> None:
        """A mistake in a file begins with its path, made harmless."""
        path = self.written(b"x\n")
        message = str(self.assertRaises(ConfigError, load, path))
        self.assertTrue(message.startswith(f"{path}: line 1: "), message)
        message = str(self.assertRaises(ConfigError, parse, "", "a\x1b\nb"))
        self.assertTrue(message.startswith("a\\x1b\\nb: "), message)


class SampleTests(SynchronousTestCase):
    """The connmon.cfg that is shipped."""

    def examples(self) -> list[str]:
        """The commented examples, uncommented, one service each."""
        lines = SAMPLE.read_text(encoding="utf-8").splitlines()
        examples = [line[1:] for line in lines if re.match(r"#(?! \S)", line)]
        joined = "\n".join(examples)
        return re.findall(r"^\[.*(?:\n(?!\[).*)*", joined, re.MULTILINE)

    def test_as_shipped(self) -> None:
        """It says what the built-in default says, without a warning."""
        config = load(str(SAMPLE))
        self.assertEqual((), config.warnings)
        self.assertEqual(parse(BUILTIN, "FILE").services, config.services)

    def test_examples(self) -> None:
        """Each commented example works on its own, and with all the others."""
        names = []
        for example in self.examples():
            config = parse(example, "FILE")
            self.assertEqual((), config.warnings)
            names.append(config.services[0].name)
            self.assertEqual(DEFAULT_STALE_AFTER, config.services[0].stale_after)
        self.assertEqual(["cluster", "ipv6", "unix", "billing"], names)
        whole = "\n".join([SAMPLE.read_text(encoding="utf-8"), *self.examples()])
        self.assertEqual(5, len(parse(whole, "FILE").services))


def _can_be_written(name: str) -> bool:
    """Whether a name can stand in the file: see the format in connmon.config."""
    starts = ("#", ";", "hostname=", "bind=", "name:", "name=", "nodes:", "nodes=")
    more = ("stale_after:", "stale_after=")
    return not name.lower().startswith((*starts, *more))


NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=255
).filter(lambda name: name.isprintable() and _can_be_written(name))
HOSTS = st.from_regex(
    r"[a-z][a-z0-9-]{0,20}(\.[a-z0-9_]{1,9}){0,3}", fullmatch=True
) | st.ip_addresses().map(str)
PATHS = st.from_regex(r"(/[a-z0-9_.@=:;%+-]{1,9}){1,9}", fullmatch=True)
ADDRESSES: st.SearchStrategy[AnyAddress] = st.one_of(
    st.builds(Address, HOSTS, st.integers(1, 65535)), st.builds(UnixAddress, PATHS)
)
BINDS = st.lists(ADDRESSES, min_size=1, max_size=3, unique=True).map(tuple)
NODES = st.builds(Node, NAMES, ADDRESSES, BINDS)
SERVICES = st.builds(
    Service,
    NAMES,
    st.lists(NODES, min_size=1, max_size=4, unique_by=lambda each: each.name).map(
        tuple
    ),
    st.sampled_from([DEFAULT_STALE_AFTER, 60.0, 90.5, 86400.0]),
)
GAPS = st.sampled_from(["", "\n", "# x\n", "    ; x: y\n", "\t\n  # [x]\n\n"])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def rendered(draw: st.DrawFn) -> tuple[str, tuple[Service, ...]]:
    """A config's text, in any of the ways it may be written, and what it says."""
    services = draw(
        st.lists(SERVICES, min_size=1, max_size=3, unique_by=lambda each: each.name)
    )
    text = draw(st.sampled_from(["", "\ufeff"]))
    for number, service in enumerate(services):
        colon = draw(st.sampled_from([":", "=", " = ", ": "]))
        text += f"{draw(GAPS)}[connmon_service_{number}]\nname{colon}{service.name}\n"
        if service.stale_after != DEFAULT_STALE_AFTER:
            text += f"{draw(GAPS)}stale_after{colon}{service.stale_after}\n"
        text += f"{draw(GAPS)}nodes{colon}\n"
        for each in service.nodes:
            indent = draw(st.sampled_from([" ", "\t", "    "]))
            trail = draw(st.sampled_from(["", " ", " # x", "\t#"]))
            text += f"{draw(GAPS)}{indent}{each.name} hostname={each.hostname} "
            text += " ".join(f"bind={bind}" for bind in each.binds) + f"{trail}\n"
    return text.replace("\n", draw(ENDS)), tuple(services)


# Pieces of the format, so that arbitrary text comes past the first line.
PIECES = st.sampled_from(
    [
        "[connmon_service_a]\n",
        "[x]\n",
        "[loggers]\n",
        "name: ",
        "name",
        "nodes:\n",
        "stale_after: ",
        "  n hostname=",
        "hostname",
        "bind",
        "unix:/",
        "=",
        ":",
        "[",
        "]",
        "::1",
        "h",
        " ",
        "\t",
        "\n",
        "\r",
        "#",
        ";",
        "5800",
        "\x00",
        "�",
        "\u2028",
        "\ufeff",
    ]
)


class DatabaseTests(ConfigTestCase):
    """The key databases."""

    place = "FILE: [connmon_service_default] line 3: databases: "

    def text(self, *lines: str) -> str:
        """A service with these lines for its databases."""
        listed = "".join(f"    {each}\n" for each in lines)
        head = "[connmon_service_default]\nname: x\ndatabases:"
        return f"{head}{listed[3:]}nodes:\n    n hostname=h\n"

    def test_servers(self) -> None:
        """A line each, with what it takes, and what of that is reserved."""
        config = parse(
            self.text(
                "DB1:3306 max_connections=255 reserved=3",
                "db2 Max_Connections = 100  # any port",
                "[2001:DB8::5]:5432 reserved=0 max_connections=1",
                "[::1] max_connections=9",
                "127.0.0.1:3307 max_connections=10",
            ),
            "FILE",
        )
        self.assertEqual((), config.warnings)
        self.assertEqual(
            (
                Database("db1:3306", 255, 3),
                Database("db2", 100),
                Database("[2001:db8::5]:5432", 1),
                Database("[::1]", 9),
                Database("127.0.0.1:3307", 10),
            ),
            config.services[0].databases,
        )
        self.assertEqual(252, config.services[0].databases[0].limit)

    def test_none(self) -> None:
        """They may be left out."""
        config = parse(one_service(" n hostname=h"), "FILE")
        self.assertEqual((), config.services[0].databases)

    def test_mistakes(self) -> None:
        """File, section, line, key, and what was expected."""
        form = "HOST[:PORT] max_connections=NUMBER [reserved=NUMBER]"
        for line, expected in (
            ("db1", f"'db1', expected {form}"),
            ("db1 reserved=3", f"'db1 reserved=3', expected {form}"),
            ("db1 255", f"'255', expected {form}"),
            ("db1 max=255", f"'max=255', expected {form}"),
            (
                "db1 max_connections=1 max_connections=2",
                f"'max_connections=2', expected {form}, each once",
            ),
            (
                "db1 max_connections=many",
                "'max_connections=many', expected max_connections= and a whole number",
            ),
            (
                "db1 max_connections=-1",
                "'max_connections=-1', expected max_connections= and a whole number",
            ),
            (
                "db1 max_connections=0",
                "'db1 max_connections=0' leaves no connection to applications",
            ),
            (
                "db1 max_connections=3 reserved=3",
                "'db1 max_connections=3 reserved=3' leaves no connection to",
            ),
            ("unix:/x max_connections=3", f"'unix:/x', expected {form}"),
            ("db1:x max_connections=3", "bad port 'x' in 'db1:x'"),
            ("db1:0 max_connections=3", "bad port '0' in 'db1:0'"),
            ("::1 max_connections=3", "'::1' is an IPv6 address without brackets"),
        ):
            self.assert_mistake(self.text(line), self.place + expected)

    def test_twice(self) -> None:
        """A server is given once; a host and one of its ports are two."""
        self.assert_mistake(
            self.text("db:1 max_connections=3", "DB:1 max_connections=4"),
            "FILE: [connmon_service_default] line 4: databases: 'db:1' was given on "
            "line 3 already, expected each server once",
        )
        parse(self.text("db:1 max_connections=3", "db max_connections=4"), "FILE")

    def test_nothing(self) -> None:
        """A key must have a value."""
        self.assert_mistake(
            "[connmon_service_default]\nname: x\ndatabases:\n"
            "nodes:\n    n hostname=h\n",
            self.place + "nothing given, expected databases: one HOST[:PORT]",
        )


class PropertyTests(SynchronousTestCase):
    """What holds for every text."""

    @patient
    @given(rendered())
    def test_round_trip(self, written: tuple[str, tuple[Service, ...]]) -> None:
        """What is written is what is read."""
        text, services = written
        self.assertEqual(services, parse(text, "FILE").services)

    @patient
    @given(
        st.text()
        | st.lists(PIECES | st.text(string.printable, max_size=3)).map("".join)
    )
    def test_arbitrary_text(self, text: str) -> None:
        """It is a config of sound values, or one line which begins with the file."""
        try:
            config = parse(text, "FILE")
        except ConfigError as error:
            self.assertTrue(str(error).startswith("FILE: "), str(error))
            self.assertTrue(str(error).isprintable(), str(error))
            return
        self.assertTrue(all(warning.isprintable() for warning in config.warnings))
        for service in config.services:
            self.assertTrue(service.name and service.nodes)

    @patient
    @given(st.binary())
    def test_arbitrary_bytes(self, content: bytes) -> None:
        """A file of any bytes is read, or is a ConfigError."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        try:
            load(str(path))
        except ConfigError as error:
            self.assertTrue(str(error).isprintable(), str(error))
