"""Tests of the file of preferences: kept whole, and never in the way of a start."""

from __future__ import annotations

import json
import os
import socket
import stat
from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.choices import Choices
from connmon.console.options import parse
from connmon.console.preferences import THEMES, load, path, save
from connmon.errors import ConfigError
from connmon.views.schema import VIEWS
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

QUICK = settings(deadline=None, max_examples=150, database=None)

TEXTS = st.text(max_size=20)
NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=64
).filter(str.isprintable)
JSON: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXTS | st.sampled_from(list(VIEWS)), inner, max_size=4)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(["version", *(each.name for each in fields(Choices))])


@st.composite
def sorts(draw: st.DrawFn) -> dict[str, str]:
    """Orders of some views."""
    return {
        view: draw(st.sampled_from(["", "-"]))
        + draw(st.sampled_from([each.name for each in VIEWS[view].fields]))
        for view in draw(st.lists(st.sampled_from(list(VIEWS)), unique=True))
    }


CHOICES = st.builds(
    Choices,
    view=st.sampled_from(list(VIEWS)),
    delay=st.floats(MIN_FEED_SECONDS, MAX_FEED_SECONDS),
    sorts=sorts(),
    sets=st.dictionaries(st.sampled_from(list(VIEWS)), NAMES),
    alerts_first=st.booleans(),
    busy=st.booleans(),
    tree=st.booleans(),
    exact=st.booleans(),
    short_names=st.booleans(),
    theme=st.sampled_from(THEMES),
)

OTHER = Choices(
    view="checkouts",
    delay=0.5,
    sorts={"programs": "-waiting", "pools": "pool_used"},
    sets={"programs": "wait"},
    alerts_first=False,
    busy=True,
    tree=True,
    exact=True,
    short_names=True,
    theme="mono",
)
"""Choices none of which is the default."""


def lowest_descriptor() -> int:
    """The number that the next open file gets."""
    here, there = socket.socketpair()
    with here, there:
        return here.fileno()


class PreferencesTestCase(SynchronousTestCase):
    """A directory for configuration of its own."""

    def setUp(self) -> None:
        """Begin without a file, but with the directory for it."""
        self.config = Path(self.mktemp()).absolute()
        self.environ = {"XDG_CONFIG_HOME": str(self.config)}
        self.file = self.config / "connmon" / "console.json"
        self.file.parent.mkdir(parents=True)

    def loaded(self, content: bytes) -> tuple[Choices, tuple[str, ...]]:
        """What becomes of a file with that content; its warnings are fit to show."""
        self.file.write_bytes(content)
        choices, warnings = load(self.environ)
        for warning in warnings:
            self.assertIn(str(self.file), warning)
            self.assertTrue(warning.isprintable(), warning)
            self.assertLess(len(warning), 600)
        return choices, warnings

    def assert_warned(self, content: object, *expected: str) -> Choices:
        """A file with that as JSON gives one warning, which has these parts."""
        choices, warnings = self.loaded(json.dumps(content).encode())
        self.assertEqual(1, len(warnings), warnings)
        for part in expected:
            self.assertIn(part, warnings[0])
        return choices

    def assert_useless(self, content: bytes, *expected: str) -> None:
        """A file with that content gives the defaults, and one warning."""
        choices, warnings = self.loaded(content)
        self.assertEqual(Choices(), choices)
        self.assertEqual(1, len(warnings), warnings)
        for part in expected:
            self.assertIn(part, warnings[0])


class PathTests(SynchronousTestCase):
    """The file is where the XDG specification has it."""

    def test_of_the_variable(self) -> None:
        """An absolute directory in the variable is taken, with a home or without."""
        self.assertEqual(
            "/etc/me/connmon/console.json", path({"XDG_CONFIG_HOME": "/etc/me"})
        )
        self.assertEqual(
            "/etc/me/connmon/console.json",
            path({"XDG_CONFIG_HOME": "/etc/me", "HOME": "/home/me"}),
        )

    def test_of_the_home(self) -> None:
        """Without the variable, or with a relative directory there, it is ~/.config."""
        for environ in ({}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "my/config"}):
            self.assertEqual(
                "/home/me/.config/connmon/console.json",
                path({"HOME": "/home/me", **environ}),
            )

    def test_nowhere(self) -> None:
        """Where there is no home there is no file, and nothing to warn of."""
        for environ in ({}, {"HOME": ""}, {"HOME": "me", "XDG_CONFIG_HOME": "x"}):
            self.assertIsNone(path(environ))
            self.assertEqual((Choices(), ()), load(environ))
            error = self.assertRaises(ConfigError, save, Choices(), environ)
            self.assertIn("HOME", str(error))


class SaveTests(PreferencesTestCase):
    """Choices are kept whole, where the user wants them, and for nobody else."""

    def test_what_was_chosen_comes_back(self) -> None:
        """Every field is kept, and the path of the file told."""
        defaults = Choices()
        for each in fields(Choices):
            self.assertNotEqual(
                getattr(defaults, each.name), getattr(OTHER, each.name), each.name
            )
        self.assertEqual(str(self.file), save(OTHER, self.environ))
        self.assertEqual((OTHER, ()), load(self.environ))

    @QUICK
    @given(CHOICES)
    def test_any_choices_come_back(self, choices: Choices) -> None:
        """Whatever can be chosen is the same after a restart."""
        save(choices, self.environ)
        self.assertEqual((choices, ()), load(self.environ))

    def test_form(self) -> None:
        """The file is an object of the fields and the version, in lines of ASCII."""
        save(OTHER, self.environ)
        text = self.file.read_bytes().decode("ascii")
        content = json.loads(text)
        self.assertEqual(
            {"version", *(each.name for each in fields(Choices))}, set(content)
        )
        self.assertEqual(1, content["version"])
        self.assertTrue(text.endswith("}\n"))
        self.assertGreater(text.count("\n"), len(content))

    def test_directories_are_made(self) -> None:
        """Missing directories are made for their owner only, and so is the file."""
        home = Path(self.mktemp()).absolute()
        save(OTHER, {"HOME": str(home)})
        made = home / ".config" / "connmon" / "console.json"
        self.assertEqual((OTHER, ()), load({"HOME": str(home)}))
        for each, mode in (
            (made, 0o600),
            (made.parent, 0o700),
            (made.parent.parent, 0o700),
        ):
            self.assertEqual(mode, stat.S_IMODE(each.stat().st_mode))

    def test_what_was_there_is_replaced(self) -> None:
        """An older file, good or bad, is replaced, and no draft stays beside it."""
        for content in (b"\xff", b"x" * 100_000, b'{"view": "pools"}'):
            self.file.write_bytes(content)
            save(OTHER, self.environ)
            self.assertEqual((OTHER, ()), load(self.environ))
        self.assertEqual(["console.json"], os.listdir(self.file.parent))

    def test_link_to_a_file(self) -> None:
        """A file kept elsewhere by a link is written there, and the link stays."""
        kept = self.config / "dotfiles" / "connmon.json"
        self.file.symlink_to(Path("..", "dotfiles", "connmon.json"))
        for _ in ("a link to nothing yet", "a link to a file"):
            self.assertEqual(str(self.file), save(OTHER, self.environ))
            self.assertTrue(self.file.is_symlink())
            self.assertFalse(kept.is_symlink())
            self.assertEqual((OTHER, ()), load(self.environ))

    def test_link_to_a_directory(self) -> None:
        """A linked directory is written into, also if it is not there yet."""
        elsewhere = self.config / "elsewhere"
        self.file.parent.rmdir()
        self.file.parent.symlink_to(elsewhere)
        save(OTHER, self.environ)
        self.assertTrue(self.file.parent.is_symlink())
        self.assertEqual(["console.json"], os.listdir(elsewhere))

    def assert_refused(self, *expected: str) -> None:
        """Saving fails with one line that names the file, and leaves nothing behind."""
        error = str(self.assertRaises(ConfigError, save, OTHER, self.environ))
        for part in (self.environ["XDG_CONFIG_HOME"], "console.json", *expected):
            self.assertIn(part, error)
        self.assertTrue(error.isprintable(), error)

    def test_no_regular_file(self) -> None:
        """What is in its place and no file is left alone: directory, FIFO, device."""
        self.file.mkdir()
        self.assert_refused("not a regular file")
        self.assertTrue(self.file.is_dir())
        self.file.rmdir()
        os.mkfifo(self.file)
        self.assert_refused("not a regular file")
        self.assertTrue(self.file.is_fifo())
        self.file.unlink()
        self.file.symlink_to(os.devnull)
        self.assert_refused("not a regular file")
        self.assertTrue(stat.S_ISCHR(os.stat(os.devnull).st_mode))
        self.file.unlink()
        self.file.symlink_to(self.file)
        self.assert_refused()
        self.assertEqual(["console.json"], os.listdir(self.file.parent))

    def test_no_directory(self) -> None:
        """A file where a directory should be is named as the reason."""
        self.file.parent.rmdir()
        self.file.parent.touch()
        self.assert_refused("Not a directory")

    def test_impossible_paths(self) -> None:
        """A path that no file can have is refused in words like any other."""
        for config in ("/\0", "/" + "x" * 300, "/\ud800", "/dev/null/\n"):
            environ = {"XDG_CONFIG_HOME": config}
            error = str(self.assertRaises(ConfigError, save, OTHER, environ))
            self.assertTrue(error.isprintable(), error)
            _, warnings = load(environ)
            self.assertEqual(1, len(warnings))
            self.assertTrue(warnings[0].isprintable(), warnings)

    def test_whole_or_not_at_all(self) -> None:
        """If writing fails, what was kept before is kept, and no draft stays."""
        save(OTHER, self.environ)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        for step in ("fsync", "replace"):
            patch = self.patch(os, step, full)
            error = self.assertRaises(ConfigError, save, Choices(), self.environ)
            patch.restore()
            self.assertIn("No space left on device", str(error))
            self.assertIn(str(self.file), str(error))
            self.assertEqual((OTHER, ()), load(self.environ))
            self.assertEqual(["console.json"], os.listdir(self.file.parent))

    def test_interrupted(self) -> None:
        """An interrupt goes on its way, and leaves no draft either."""

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        self.patch(os, "replace", interrupted)
        self.assertRaises(KeyboardInterrupt, save, OTHER, self.environ)
        self.assertEqual([], os.listdir(self.file.parent))


class FileTests(PreferencesTestCase):
    """A file that cannot be read is a warning."""

    def test_none(self) -> None:
        """That there is no file, or no directory for it, is nothing to warn of."""
        self.assertEqual((Choices(), ()), load(self.environ))
        self.file.parent.rmdir()
        self.assertEqual((Choices(), ()), load(self.environ))
        self.file.parent.symlink_to("nowhere")
        self.assertEqual((Choices(), ()), load(self.environ))

    def assert_unreadable(self, expected: str) -> None:
        """What is there gives the defaults and one warning with its path; no leak."""
        before = lowest_descriptor()
        choices, warnings = load(self.environ)
        self.assertEqual(Choices(), choices)
        self.assertEqual(1, len(warnings), warnings)
        self.assertIn(str(self.file), warnings[0])
        self.assertIn(expected, warnings[0])
        self.assertEqual(before, lowest_descriptor())

    def test_directory(self) -> None:
        """A directory in its place is no file."""
        self.file.mkdir()
        self.assert_unreadable("expected a regular file")

    def test_fifo(self) -> None:
        """A FIFO in its place does not make the console wait for a writer."""
        os.mkfifo(self.file)
        self.assert_unreadable("expected a regular file")

    def test_device(self) -> None:
        """A device that never ends is not read."""
        self.file.symlink_to("/dev/zero")
        self.assert_unreadable("expected a regular file")

    def test_socket(self) -> None:
        """A socket in its place cannot be opened."""
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.file.parent)  # a socket's path has to be short
        listening.bind("console.json")
        os.chdir(here)
        self.assert_unreadable("cannot read")

    def test_errors(self) -> None:
        """What the system says is the reason."""
        self.file.symlink_to(self.file)
        self.assert_unreadable("oo many levels of symbolic links")
        self.file.unlink()
        self.file.parent.rmdir()
        self.file.parent.touch()
        self.assert_unreadable("Not a directory")

    def test_not_allowed(self) -> None:
        """A file of somebody else's is a warning with that reason."""

        def refused(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        self.patch(os, "open", refused)
        self.assert_unreadable("Permission denied")

    def test_fails_while_read(self) -> None:
        """So is a disk that fails after the file was opened."""

        def failing(*_: object) -> int:
            raise OSError(5, "Input/output error")

        self.file.touch()
        self.patch(os, "fstat", failing)
        self.assert_unreadable("Input/output error")

    def test_too_large(self) -> None:
        """A file of 64 KiB is read, a larger one is not."""
        content = json.dumps({"view": "pools"}).encode()
        self.assertEqual(
            (Choices(view="pools"), ()), self.loaded(content.ljust(64 * 1024))
        )
        self.assert_useless(content.ljust(64 * 1024 + 1), "65536")


class ContentTests(PreferencesTestCase):
    """What cannot be used is reported and ignored, and the rest is used."""

    def test_not_utf8(self) -> None:
        """Other bytes are reported with their line."""
        self.assert_useless(b'{\n"view": "\xe9"}', "line 2", "UTF-8")

    def test_not_json(self) -> None:
        """So is what is no JSON; an empty file is none."""
        self.assert_useless(b'{\n"view": pools}', "line 2", "JSON")
        self.assert_useless(b"", "JSON")
        self.assert_useless(b"view: pools\n", "JSON")

    def test_no_object(self) -> None:
        """Other JSON than an object has no keys to look for."""
        for content, name in (
            (b"[]", "array"),
            (b"null", "null"),
            (b"1", "1"),
            (b'"view"', "'view'"),
        ):
            self.assert_useless(content, "expected a JSON object", name)

    def test_deep(self) -> None:
        """Nesting without end is reported like any other nonsense."""
        for opening in (b"[", b'{"view":', b'{"sorts":{"programs":['):
            self.assert_useless(opening * (65536 // len(opening)))

    def test_deep_but_parsed(self) -> None:
        """What is nested as deeply as the parser allows does not break the warning."""
        for key in ("view", "sorts", "sets", "delay", "strange"):
            for depth in range(10, 1000, 90):
                content = f'{{"{key}": {"[" * depth}{"]" * depth}}}'
                choices, warnings = self.loaded(content.encode())
                self.assertEqual(Choices(), choices)
                self.assertEqual(1, len(warnings))

    def test_huge_numbers(self) -> None:
        """A number with more digits than Python converts is no number of ours."""
        for digits in (19, 400, 4000, 60_000):
            for sign in ("", "-"):
                number = sign + "9" * digits
                self.assert_useless(f'{{"delay": {number}}}'.encode(), "expected")
                self.assert_useless(f'{{"view": {number}}}'.encode(), "expected")
                self.assert_useless(number.encode(), "expected")

    def test_unknown_key(self) -> None:
        """A key of no meaning is named, and those that have one are listed."""
        choices = self.assert_warned(
            {"colour": 1, "view": "pools"}, "'colour'", "theme", "sorts"
        )
        self.assertEqual(Choices(view="pools"), choices)

    def test_hostile_key(self) -> None:
        """A key is shown so that it does nothing to a terminal, and cut."""
        self.assert_warned({"\x1b]0;x\x07": 1}, r"\x1b]0;x\x07")
        self.assert_warned({"x" * 5000: 1}, "xxx...")
        self.assert_warned({"sorts": {"\x1b[2J\ud800": "conn"}}, r"\x1b[2J\ud800")

    def test_version(self) -> None:
        """Another version is reported; without one it is this one."""
        self.assertEqual((Choices(), ()), self.loaded(b"{}"))
        self.assertEqual((Choices(), ()), self.loaded(b'{"version": 1}'))
        for version in (2, 0, "1", True, None, 1.5, [1]):
            choices = self.assert_warned(
                {"version": version, "busy": True}, "version: expected 1"
            )
            self.assertEqual(Choices(busy=True), choices)

    def test_view(self) -> None:
        """A view is one of those there are."""
        views: tuple[object, ...] = ("pogroms", "", "Programs", 1, None, ["pools"], {})
        for view in views:
            choices = self.assert_warned(
                {"view": view, "tree": True}, "view: expected one of programs, hosts"
            )
            self.assertEqual(Choices(tree=True), choices)

    def test_theme(self) -> None:
        """A theme is one of those there are."""
        for theme in THEMES:
            self.assertEqual(
                (Choices(theme=theme), ()),
                self.loaded(json.dumps({"theme": theme}).encode()),
            )
        others: tuple[object, ...] = ("dark", "", 16, None, [], False)
        for wrong in others:
            choices = self.assert_warned(
                {"theme": wrong}, "theme: expected one of auto, many, sixteen, mono"
            )
            self.assertEqual(Choices(), choices)

    def test_delay(self) -> None:
        """A delay is one that nodes agree to; whole numbers are numbers too."""
        for delay in (MIN_FEED_SECONDS, 1, 2.5, MAX_FEED_SECONDS):
            choices, warnings = self.loaded(json.dumps({"delay": delay}).encode())
            self.assertEqual((Choices(delay=delay), ()), (choices, warnings))
            self.assertIsInstance(choices.delay, float)
        for wrong in (0, 0.0999, 3600.1, -1, "2", True, None, [2], 10**30):
            self.assert_warned({"delay": wrong}, "delay: expected seconds from 0.1 to")
        for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
            self.assert_useless(b'{"delay": ' + number + b"}", "delay: expected")

    def test_flags(self) -> None:
        """A flag is true or false, and no number or word for it."""
        for key in ("alerts_first", "busy", "tree", "exact", "short_names"):
            for flag in (True, False):
                choices, warnings = self.loaded(json.dumps({key: flag}).encode())
                self.assertEqual((), warnings)
                self.assertIs(flag, getattr(choices, key))
            others: tuple[object, ...] = (0, 1, "true", None, [], {})
            for wrong in others:
                choices = self.assert_warned(
                    {key: wrong, "view": "pools"}, f"{key}: expected true or false"
                )
                self.assertEqual(Choices(view="pools"), choices)

    def test_sorts(self) -> None:
        """An order is a field of that view, also by its heading; one of two is kept."""
        choices, warnings = self.loaded(
            b'{"sorts": {"programs": "+OLDEST", "pools": "-pool_used"}}'
        )
        self.assertEqual((), warnings)
        self.assertEqual(
            {"programs": "-oldest_seconds", "pools": "pool_used"}, choices.sorts
        )
        for wrong in ("pool_used", "", "-", "--conn", "+-conn", 3, None, ["conn"]):
            choices = self.assert_warned(
                {"sorts": {"programs": wrong, "pools": "+conn"}},
                "sorts: 'programs': expected a field of programs",
            )
            self.assertEqual(Choices(sorts={"pools": "-conn"}), choices)

    def test_sorts_mean_what_the_option_means(self) -> None:
        """What is written there orders rows as it does after ``-o``."""
        for order in ("conn", "+conn", "-conn", "progname", "+progname", "-progname"):
            choices, _ = self.loaded(
                json.dumps({"sorts": {"programs": order}}).encode()
            )
            asked = parse(["-b", "-H", "h", f"--sort={order}"], "connmon")
            self.assertEqual(asked.query.sort, choices.sorts["programs"], order)

    def test_sets(self) -> None:
        """A set of columns has a short name; the screen knows which there are."""
        choices = self.assert_warned(
            {"sets": {"programs": "wait", "hosts": "x" * 65}}, "sets: 'hosts': expected"
        )
        self.assertEqual(Choices(sets={"programs": "wait"}), choices)
        others: tuple[object, ...] = ("", "a\nb", "\x1b[2J", 1, None, ["wait"], {})
        for wrong in others:
            self.assert_warned({"sets": {"hosts": wrong}}, "sets: 'hosts': expected")

    def test_tables(self) -> None:
        """Sorts and sets are objects by view; there are no other views."""
        for key in ("sorts", "sets"):
            for wrong in ("-conn", ["conn"], 1, None, False):
                choices = self.assert_warned(
                    {key: wrong, "busy": True}, f"{key}: expected an object"
                )
                self.assertEqual(Choices(busy=True), choices)
            self.assert_warned(
                {key: {"pogroms": "conn"}}, f"{key}: 'pogroms': unknown view"
            )

    def test_each_has_its_warning(self) -> None:
        """As many mistakes, as many warnings; what is right is kept."""
        choices, warnings = self.loaded(
            json.dumps(
                {
                    "view": 1,
                    "delay": "x",
                    "sorts": {"hosts": "x", "x": "conn", "pools": "+ckout"},
                    "busy": True,
                    "strange": 1,
                }
            ).encode()
        )
        self.assertEqual(Choices(busy=True, sorts={"pools": "-ckout"}), choices)
        self.assertEqual(5, len(warnings))

    @QUICK
    @given(st.binary(max_size=200))
    def test_any_bytes(self, content: bytes) -> None:
        """Whatever the bytes, there are choices, and no error."""
        choices, warnings = self.loaded(content)
        self.assertEqual(Choices(), choices)
        self.assertEqual(1, len(warnings))

    @QUICK
    @given(st.dictionaries(KEYS | TEXTS, JSON, max_size=6))
    def test_any_object(self, content: dict[str, Any]) -> None:
        """Whatever the object, what is made of it can be kept and is then the same."""
        choices, _ = self.loaded(json.dumps(content).encode())
        save(choices, self.environ)
        self.assertEqual((choices, ()), load(self.environ))

    @QUICK
    @given(CHOICES, st.data())
    def test_one_damage(self, choices: Choices, data: st.DataObject) -> None:
        """A value spoilt does not cost the others."""
        save(choices, self.environ)
        content = json.loads(self.file.read_bytes())
        spoilt = data.draw(st.sampled_from(sorted(content)))
        content[spoilt] = [content[spoilt]]
        found, warnings = self.loaded(json.dumps(content).encode())
        self.assertEqual(1, len(warnings))
        self.assertIn(spoilt, warnings[0])
        for each in fields(Choices):
            source = Choices() if each.name == spoilt else choices
            self.assertEqual(getattr(source, each.name), getattr(found, each.name))
