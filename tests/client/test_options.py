"""Tests of the options: which counts, and whose mistake it is if one is wrong."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon import config
from connmon.client import options
from connmon.client.options import OptionError, Options, Source
from connmon.errors import ConfigError

TEXT = """
[connmon_service_x]
name: default
nodes:
    n1 hostname=one
    n2 hostname=two:1

[connmon_service_y]
name: billing
nodes:
    n3 hostname=three
"""


def load(path: str | None) -> config.Config:
    """Stands for the file system: one file, named ``/there``, and the built-in."""
    if path is None:
        return config.parse(config.BUILTIN, config.BUILTIN_SOURCE)
    if path != "/there":
        raise ConfigError(f"cannot read {path}, expected a readable connmon.cfg")
    return config.parse(TEXT, path)


def chosen(*sources: Source) -> Options:
    """What these sources, the strongest first, come to."""
    return options.choose(sources, load, lambda: "a.py")


def environment(**values: str) -> Source:
    """An environment with these variables."""
    return options.environment({f"CONNMON_{k.upper()}": v for k, v in values.items()})


def places(found: Options) -> list[str]:
    """Where an engine reports to."""
    return [str(each) for each in found.addresses]


class PrecedenceTests(SynchronousTestCase):
    """Each option is taken from the strongest source that has it."""

    def test_nothing_is_asked_for(self) -> None:
        """The default service of the default configuration, under its own name."""
        found = chosen(environment())
        self.assertEqual("default", found.service)
        self.assertEqual(["localhost:5800"], places(found))
        self.assertEqual("a.py", found.program)
        self.assertEqual("on", found.transactions)

    def test_each_option_on_its_own(self) -> None:
        """One from each of three places."""
        found = chosen(
            Source({"program": "mine"}),
            Source({"config": "/there", "program": "not this"}),
            environment(service="billing", program="nor this", transactions="all"),
        )
        self.assertEqual("billing", found.service)
        self.assertEqual(["three:5800"], places(found))
        self.assertEqual("mine", found.program)
        self.assertEqual("all", found.transactions)

    def test_none_is_not_given(self) -> None:
        """An argument that is ``None`` leaves the option to the next source."""
        found = chosen(Source({"program": None}), environment(program="shop"))
        self.assertEqual("shop", found.program)

    def test_empty_in_the_environment_is_not_given(self) -> None:
        """That is how a shell clears a variable."""
        self.assertEqual("a.py", chosen(environment(program="")).program)

    def test_an_address_goes_before_a_configuration_beside_it(self) -> None:
        """Then none is read; a service is asked for only if it is named."""
        for sources in (
            [Source({"addr": "here", "config": "/nowhere"})],
            [Source({"addr": "here"}), Source({"config": "/nowhere"})],
            [environment(addr="here", config="/nowhere")],
        ):
            found = chosen(*sources)
            self.assertEqual(["here:5800"], places(found))
            self.assertEqual("", found.service)

    def test_a_configuration_goes_before_a_weaker_address(self) -> None:
        """They answer one question: what the URL says goes before the environment."""
        found = chosen(Source({"config": "/there"}), environment(addr="elsewhere"))
        self.assertEqual(["one:5800", "two:1"], places(found))

    def test_a_service_beside_an_address(self) -> None:
        """It is asked for there, wherever it was named."""
        found = chosen(Source({"addr": "here"}), environment(service="billing"))
        self.assertEqual("billing", found.service)

    def test_a_unix_socket(self) -> None:
        """An address is whatever connmon.cfg takes for one."""
        found = chosen(Source({"addr": "unix:/run/c.sock"}))
        self.assertEqual(["unix:/run/c.sock"], places(found))

    def test_a_path_object(self) -> None:
        """An argument need not be text where Python has a type for it."""
        found = chosen(Source({"config": Path("/there")}))
        self.assertEqual("default", found.service)

    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(["service", "program"]),
                st.sampled_from(["default", "billing"]),
            ),
            max_size=5,
        )
    )
    def test_the_first_that_has_it(self, given_in: list[dict[str, str]]) -> None:
        """Whatever the sources are, and however many."""
        found = chosen(*map(Source, given_in), Source({"config": "/there"}))
        for name, default in (("service", "default"), ("program", "a.py")):
            first = next((each[name] for each in given_in if name in each), default)
            self.assertEqual(first, getattr(found, name))


class SwitchTests(SynchronousTestCase):
    """Options that are on or off."""

    def test_words(self) -> None:
        """The usual ones, however they are written, and Python's own."""
        for value in ("1", "true", "YES", " on ", True):
            self.assertTrue(chosen(Source({"stacks": value})).stacks)
        for value in ("0", "False", "no", "off", False):
            self.assertFalse(chosen(Source({"stacks": value})).stacks)

    def test_off_goes_before_a_weaker_on(self) -> None:
        """Off is an answer, too."""
        found = chosen(Source({"stacks": "off"}), environment(stacks="on"))
        self.assertFalse(found.stacks)

    def test_other_words(self) -> None:
        """Anything else is a mistake."""
        for value in ("maybe", "", 1, ("on", "off")):
            with self.assertRaises(OptionError) as caught:
                chosen(Source({"stacks": value}))
            self.assertIn("connmon_stacks=", str(caught.exception))
            self.assertIn("expected on or off, once", str(caught.exception))


class StacksTests(SynchronousTestCase):
    """Whether a node may ask where holders are."""

    OFF = TEXT.replace("name: default", "name: default\nconnmon_stacks: off")

    def chosen(self, *sources: Source) -> bool:
        """What these come to, with a configuration that says no."""
        found = options.choose(
            sources, lambda path: config.parse(self.OFF, "off"), lambda: "a.py"
        )
        return found.stacks

    def test_unless_it_is_forbidden(self) -> None:
        """It may."""
        for source, told in (
            (Source({}), True),
            (Source({"stacks": "off"}), False),
            (Source({"stacks": False}), False),
            (Source({"stacks": "on"}), True),
            (environment(stacks="off"), False),
        ):
            self.assertEqual(told, chosen(source).stacks)

    def test_in_the_configuration(self) -> None:
        """It goes after all else, and is of that service; with an address none is."""
        for sources, told in (
            ((), False),
            ((environment(stacks="on"),), True),
            ((Source({"stacks": "on"}), environment(stacks="off")), True),
            ((Source({"service": "billing"}),), True),
            ((Source({"addr": "here"}),), True),
        ):
            self.assertEqual(told, self.chosen(*sources))


class TraceTests(SynchronousTestCase):
    """Which checkouts are traced."""

    def test_words(self) -> None:
        """Its own, and whatever is on or off elsewhere; on by default."""
        self.assertEqual("on", chosen().trace)
        for expected, values in {
            "on": ("on", "1", " Yes ", True),
            "all": ("all", " ALL"),
            "slow": ("slow", "SLOW "),
            "off": ("off", "0", "no", False),
        }.items():
            for value in values:
                self.assertEqual(expected, chosen(Source({"trace": value})).trace)
        self.assertEqual("slow", chosen(environment(trace="slow")).trace)

    def test_other_words(self) -> None:
        """Anything else is a mistake."""
        for value in ("fast", "", 1, ("on", "off")):
            with self.assertRaises(OptionError) as caught:
                chosen(Source({"trace": value}))
            self.assertIn("connmon_trace=", str(caught.exception))
            self.assertIn("expected on, all, slow or off, once", str(caught.exception))


class TransactionTests(SynchronousTestCase):
    """Which checkouts are followed into their transactions."""

    def test_words(self) -> None:
        """On, all or off, in any of the words for them; on by default."""
        self.assertEqual("on", chosen().transactions)
        for expected, values in {
            "on": ("on", "true", True),
            "all": ("all", " ALL"),
            "off": ("off", "0", False),
        }.items():
            for value in values:
                found = chosen(Source({"transactions": value}))
                self.assertEqual(expected, found.transactions)

    def test_other_words(self) -> None:
        """Anything else is a mistake; so is what is a word for traces only."""
        for value in ("slow", "", 1, ("on", "off")):
            with self.assertRaises(OptionError) as caught:
                chosen(Source({"transactions": value}))
            self.assertIn("connmon_transactions=", str(caught.exception))
            self.assertIn("expected on, all or off, once", str(caught.exception))


class SlowTests(SynchronousTestCase):
    """From how many seconds on a checkout is told to last too long."""

    def test_seconds(self) -> None:
        """In whatever way they are written; 30 by default."""
        self.assertEqual(30.0, chosen().slow)
        for expected, values in {
            5.0: ("5", " 5.0 ", 5, 5.0),
            0.5: ("0.5", "5e-1", 0.5),
            inf: ("0", "off", " Off ", "no", "false", 0, 0.0, False),
        }.items():
            for value in values:
                self.assertEqual(expected, chosen(Source({"slow": value})).slow, value)
        self.assertEqual(5.0, chosen(environment(slow="5")).slow)
        self.assertEqual(5.0, chosen(Source({"slow": "5"}), environment(slow="6")).slow)

    def test_what_is_no_duration(self) -> None:
        """Anything else is a mistake."""
        for value in ("on", "", "-1", -1, "nan", "inf", "1e99", True, "5s", ("5", "6")):
            with self.assertRaises(OptionError) as caught:
                chosen(Source({"slow": value}))
            self.assertIn("connmon_slow=", str(caught.exception))
            self.assertIn(
                "expected a number of seconds, 0 or off, once", str(caught.exception)
            )


class LimitTests(SynchronousTestCase):
    """Whether servers are asked for their limit."""

    def test_words(self) -> None:
        """Its own, and whatever is off elsewhere; not by default."""
        self.assertEqual("off", chosen().limit)
        for expected, values in {
            "read": ("read", " READ"),
            "off": ("off", "0", "no", False),
        }.items():
            for value in values:
                self.assertEqual(expected, chosen(Source({"limit": value})).limit)
        self.assertEqual("read", chosen(environment(limit="read")).limit)

    def test_other_words(self) -> None:
        """Anything else is a mistake; on is not what is done."""
        for value in ("on", "", 1, True, ("read", "off")):
            with self.assertRaises(OptionError) as caught:
                chosen(Source({"limit": value}))
            self.assertIn("connmon_limit=", str(caught.exception))
            self.assertIn("expected read or off, once", str(caught.exception))


class MistakeTests(SynchronousTestCase):
    """A mistake names the option as it was spelled, its value, and what is expected."""

    def told(self, *sources: Source) -> str:
        """What the program is told."""
        with self.assertRaises(OptionError) as caught:
            chosen(*sources)
        return str(caught.exception)

    def logged(self, *sources: Source) -> str:
        """What is for the log only."""
        with self.assertRaises(ConfigError) as caught:
            chosen(*sources)
        self.assertNotIsInstance(caught.exception, OptionError)
        return str(caught.exception)

    def test_spelling(self) -> None:
        """Each source has its own way to write a name."""
        bad = {"addr": "host:abc"}
        for source, start in (
            (Source(bad), "connmon_addr=host:abc: bad port"),
            (Source(bad, "connmon.attach: {}"), "connmon.attach: addr=host:abc: "),
            (Source(bad, "--{}"), "--addr=host:abc: "),
        ):
            said = self.told(source)
            self.assertTrue(said.startswith(start), said)
            self.assertIn("expected HOST[:PORT]", said)
        self.assertIn("CONNMON_ADDR=host:abc: ", self.logged(environment(**bad)))

    def test_not_once_not_text_or_empty(self) -> None:
        """SQLAlchemy makes a tuple of an option that a URL has twice."""
        for name in ("addr", "service", "config", "program"):
            for value in (("a", "b"), 5800, "", b"here"):
                said = self.told(Source({name: value}))
                self.assertTrue(said.startswith(f"connmon_{name}={value!r}: "), said)
                self.assertIn("expected it once, as non-empty text", said)

    def test_one_line_always(self) -> None:
        """Whatever the value holds, and however long it is."""
        for name in options.NAMES:
            said = self.told(Source({name: "a\nb\x1b" + 1000 * "c", "addr": "\n"}))
            self.assertTrue(said.isprintable(), said)
            self.assertLess(len(said), 600)

    def test_names(self) -> None:
        """A service is one word; a program's name is printable."""
        self.assertIn("one printable word", self.told(Source({"service": "a b"})))
        self.assertIn("one printable word", self.told(Source({"service": 256 * "a"})))
        for wrong in ("a\tb", " ", "\u2003"):
            self.assertIn("printable text", self.told(Source({"program": wrong})))
        self.assertEqual("a b", chosen(Source({"program": "a b"})).program)

    def test_a_named_configuration_that_cannot_be_read(self) -> None:
        """Whose mistake it is depends on who named it."""
        named = {"config": "/nowhere"}
        self.assertIn("connmon_config=/nowhere: cannot", self.told(Source(named)))
        said = self.logged(Source({}), environment(**named))
        self.assertIn("CONNMON_CONFIG=/nowhere: cannot read", said)

    def test_a_service_that_a_configuration_lacks(self) -> None:
        """It is the program's mistake if the program named both."""
        file, service = {"config": "/there"}, {"service": "two"}
        said = self.told(Source({**file, **service}))
        self.assertTrue(said.startswith("connmon_service=two: "), said)
        self.assertIn("expected one of: default, billing", said)
        self.told(Source(service), Source(file))
        for sources, start in (
            ([Source(service), environment(**file)], "connmon_service=two: "),
            ([Source(file), environment(**service)], "CONNMON_SERVICE=two: "),
            ([Source(service)], "connmon_service=two: "),
            ([environment(**service)], "CONNMON_SERVICE=two: "),
        ):
            said = self.logged(*sources)
            self.assertTrue(said.startswith(start), said)

    def test_the_default_service_that_a_named_configuration_lacks(self) -> None:
        """Nobody named the service, so the file is what is named."""

        def without_default(path: str | None) -> config.Config:
            text = "[connmon_service_z]\nname: z\nnodes:\n n hostname=h\n"
            return config.parse(text, str(path))

        with self.assertRaises(OptionError) as caught:
            options.choose([Source({"config": "/z"})], without_default)
        self.assertIn("connmon_config=/z: ", str(caught.exception))
        with self.assertRaises(ConfigError) as logged:
            options.choose([], without_default)
        self.assertNotIsInstance(logged.exception, OptionError)

    def test_what_the_program_wrote_is_told_first(self) -> None:
        """A fault of the environment does not hide it."""
        said = self.told(Source({"program": ""}), environment(addr="host:abc"))
        self.assertIn("connmon_program", said)

    def test_what_does_not_count_is_not_looked_at(self) -> None:
        """A weaker source's mistake is nobody's business."""
        chosen(Source({"addr": "here"}), environment(addr="host:abc", config="/no"))

    def test_unknown_options(self) -> None:
        """They are told as they were written, and ignored: a later version has them."""
        source = Source({"colour": "red", "addr": "here"})
        self.assertEqual(["connmon_colour"], options.unknown(source))
        chosen(source)


class DisabledTests(SynchronousTestCase):
    """``CONNMON_DISABLE``."""

    def test_words(self) -> None:
        """On and off; an odd word is taken for on, since somebody wants us out."""
        for value, is_on in (
            ("1", True),
            ("true", True),
            ("Yes", True),
            ("on", True),
            ("0", False),
            ("FALSE", False),
            ("no", False),
            ("off", False),
            ("", False),
            (" ", False),
            ("please", True),
        ):
            why = options.disabled({"CONNMON_DISABLE": value})
            self.assertEqual(is_on, bool(why), value)
            odd = options.disabled_oddly({"CONNMON_DISABLE": value})
            self.assertEqual(value == "please", bool(odd), value)
        self.assertEqual("", options.disabled({}))
        self.assertEqual("", options.disabled_oddly({}))

    def test_an_odd_word_is_told(self) -> None:
        """With what was expected."""
        said = options.disabled_oddly({"CONNMON_DISABLE": "a\nb"})
        self.assertEqual("CONNMON_DISABLE='a\\nb': expected 1 or 0, taken for 1", said)


class ProgramNameTests(SynchronousTestCase):
    """What a program is called when nobody says so."""

    def named(self, argv: list[str], module: str | None = None) -> str:
        """The name with this command line, run by ``-m module`` if that is given."""
        main: Any = types.ModuleType("__main__")
        main.__spec__ = None
        if module is not None:
            main.__spec__ = types.SimpleNamespace(name=module)
        self.patch(sys, "argv", argv)
        modules: Mapping[str, Any] = {**sys.modules, "__main__": main}
        self.patch(sys, "modules", modules)
        return options.program_name()

    def test_a_script(self) -> None:
        """Its file's name."""
        self.assertEqual("nova-api", self.named(["/usr/bin/nova-api", "--debug"]))

    def test_a_module(self) -> None:
        """The module run by ``-m``, a package without its ``__main__``."""
        self.assertEqual("app.worker", self.named(["/x/app/worker.py"], "app.worker"))
        self.assertEqual("app", self.named(["/x/app/__main__.py"], "app.__main__"))

    def test_a_package_in_a_child_of_multiprocessing(self) -> None:
        """The child knows the command line only; it is of the same program."""
        self.assertEqual("app", self.named(["/x/app/__main__.py"]))

    def test_no_name_at_all(self) -> None:
        """An interactive interpreter is called after its executable."""
        self.patch(sys, "executable", "/usr/bin/python3")
        self.assertEqual("python3", self.named([""]))
        self.assertEqual("-c", self.named(["-c"]))
        self.assertEqual("python3", self.named(["__main__.py"]))
