"""What the documents say of the console, held against what it is."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import shlex
import shutil
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon import cli
from connmon.console import asking, batch, columns, keys, options, player, preferences
from connmon.console.choices import Choices
from connmon.console.column import column
from connmon.console.picture import as_line
from connmon.console.screen import ORDER
from connmon.console.tape import Recorder, Recording
from connmon.errors import ConfigError
from connmon.model.board import Board
from connmon.views import alert, filters, servers
from connmon.views.advice import holding, misuse, sizing
from connmon.views.fleet import Fleet
from connmon.views.recorded import WHOLE
from connmon.views.schema import CHECKOUTS, CONNECTIONS, PROGRAMS, VIEWS
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

ROOT = Path(__file__).absolute().parents[2]

FLEET = Fleet(Board("default", "node1"))

OTHER_COMMANDS = ("demo", "listen", "timeouts", "who", "stack", "advice")

OF_OTHERS = {"--seconds", "--addr"}
"""Options of other commands that these documents may name."""


def blocks(text: str) -> list[str]:
    """The literal blocks of a document."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", text)
    return [textwrap.dedent(each).strip("\n") + "\n" for each in found]


def section(text: str, title: str) -> str:
    """What is below a title, up to the next one of its kind."""
    found = re.search(
        rf"^{re.escape(title)}\n([-=~])\1+\n(.*?)(?=^[^\n]+\n\1{{3,}}\n|\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, title
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The rows of all simple tables, each the text of its cells."""
    found: list[list[str]] = []
    starts: list[int] = []
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"=+( +=+)+", line):
            ruled = [each.start() for each in re.finditer("=+", line)]
            starts = [] if starts and not after else ruled
        elif starts:
            cells = [
                line[start:end].strip()
                for start, end in zip(starts, [*starts[1:], None], strict=True)
            ]
            if cells[0] or not found:
                found.append(cells)
            else:
                found[-1] = [
                    f"{a} {b}".strip() for a, b in zip(found[-1], cells, strict=True)
                ]
    return found


def literals(text: str) -> list[str]:
    """What stands between double backquotes."""
    return re.findall(r"``(.+?)``", text)


def told_options(*argv: str) -> set[str]:
    """The options that a command's own help names."""
    said = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(said):
        cli.run([*argv, "--help"])
    _, _, listed = said.getvalue().partition("\noptions:")
    return set(re.findall(r"(?<![\w-])-{1,2}[a-zA-Z][a-z-]*", listed))


def commands(text: str) -> Iterator[list[str]]:
    """The command lines for the console in the literal blocks, as words."""
    for block in blocks(text):
        for line in block.replace("$ ", "").splitlines():
            if re.match(r"connmon( -|$| +#| \|)", line):
                first = re.split(r" \| | >> ", line)[0]
                yield shlex.split(first, comments=True)[1:]


class DocTests(SynchronousTestCase):
    """A document, if it is part of this installation."""

    def read(self, name: str) -> str:
        """The text of a document."""
        path = ROOT / name
        if not path.exists():
            raise SkipTest(f"{path} is not part of this installation")
        return path.read_text(encoding="utf-8")

    def directory(self) -> Path:
        """A directory that is gone after the test."""
        path = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, path)
        return path


class KeyTests(DocTests):
    """The table of keys in docs/console.rst."""

    def test_each_binding_has_a_row(self) -> None:
        """In the order of the help, with all of its keys, and no row has none."""
        told = rows(section(self.read("docs/console.rst"), "Keys"))
        bound = [each for _, pairs in keys.help_sections(replay=True) for each in pairs]
        self.assertEqual(
            [caps.split() for caps, _ in bound], [literals(cells[0]) for cells in told]
        )

    def test_keys_of_recordings_are_marked(self) -> None:
        """A row says so if, and only if, the key does nothing else."""
        told = rows(section(self.read("docs/console.rst"), "Keys"))
        marked = {
            cap
            for cells in told
            if "recordings only" in cells[1]
            for cap in literals(cells[0])
        }
        bindings = [each for _, found in keys.SECTIONS for each in found]
        self.assertEqual(
            {key for each in bindings if each.replay for key in each.keys}, marked
        )


class OptionTests(DocTests):
    """The options in docs/console.rst and docs/batch.rst."""

    def test_each_option_has_a_row(self) -> None:
        """Short and long, and no row has an option that there is not."""
        told = [
            cap
            for name in ("docs/console.rst", "docs/batch.rst")
            for cells in rows(self.read(name))
            for cap in literals(cells[0])
            if re.fullmatch("-[a-zA-Z]|--[a-z-]+", cap)
        ]
        self.assertEqual(sorted(told_options()), sorted(told))

    def test_no_other_option_is_named(self) -> None:
        """Nowhere in the text, nor in the README's."""
        known = told_options() | OF_OTHERS
        for command in OTHER_COMMANDS:
            known |= told_options(command)
        for name in (
            "docs/batch.rst",
            "docs/console.rst",
            "docs/fields.rst",
            "docs/cluster.rst",
            "README.rst",
        ):
            text = re.sub(
                r"^    (?!connmon).*$", "", self.read(name), flags=re.MULTILINE
            )
            named = set(re.findall(r"(?<![\w=-])--[a-z][a-z-]+", text))
            self.assertEqual(set(), named - known, name)

    def test_the_synopsis_has_each(self) -> None:
        """By its short form if it has one, but for those that end at once."""
        synopsis = blocks(self.read("docs/console.rst"))[0]
        said = re.findall(r"-{1,2}[a-zA-Z][a-z-]*", synopsis)
        given = rows(self.read("docs/console.rst")) + rows(self.read("docs/batch.rst"))
        firsts = [
            literals(cells[0])[0] for cells in given if cells[0].startswith("``-")
        ]
        found = {each for each in firsts if re.fullmatch("-[a-zA-Z]|--[a-z-]+", each)}
        self.assertEqual(found - {"-V", "-h"}, set(said) - {"-FIELD"})

    def test_each_command_is_one(self) -> None:
        """The command lines of the examples are understood, filters and all."""
        count = 0
        for name in (
            "README.rst",
            "docs/cluster.rst",
            "docs/console.rst",
            "docs/batch.rst",
        ):
            for words in commands(self.read(name)):
                if any(word[:1] == "[" for word in words):
                    continue  # the synopsis
                count += 1
                with contextlib.suppress(ConfigError):  # its config is not here
                    options.parse(words, "connmon")
        self.assertGreater(count, 20)


class ViewTests(DocTests):
    """The views in docs/fields.rst."""

    def parts(self, view: str) -> dict[str, str]:
        """What is listed of a view, by what it is, in words parted by blanks."""
        text = section(section(self.read("docs/fields.rst"), "The views"), view)
        found = re.findall(r"^(\S+)\n((?:    .*\n?)+)", text, re.MULTILINE)
        return {
            name.strip("`"): " ".join(listed.replace("``", "").split())
            for name, listed in found
        }

    def test_each_view_has_a_section(self) -> None:
        """In the order of their keys."""
        text = section(self.read("docs/fields.rst"), "The views")
        titles = re.findall(r"^(\w+)\n~+$", text, re.MULTILINE)
        self.assertEqual(list(ORDER), titles)
        self.assertEqual(set(VIEWS), set(titles))

    def test_each_set_of_columns_is_listed(self) -> None:
        """With its headings, in their order, and after the one before it."""
        for view in VIEWS:
            told = self.parts(view)
            told.pop("fields")
            expected = {
                name: " ".join(each.heading for each in columns.columns(view, name))
                for name in columns.sets(view)
            }
            self.assertEqual(list(expected.items()), list(told.items()), view)

    def test_each_field_is_listed(self) -> None:
        """In the order of JSON and CSV."""
        for name, view in VIEWS.items():
            names = " ".join(each.name for each in view.fields)
            if name == CHECKOUTS:
                self.assertEqual(VIEWS[CONNECTIONS].fields, view.fields)
                names = "those of connections"
            self.assertEqual(names, self.parts(name)["fields"], name)

    def test_each_option_names_each_view(self) -> None:
        """The row of --view names all of them."""
        told = rows(self.read("docs/console.rst"))
        (cell,) = [cells[1] for cells in told if cells[0] == "``--view``"]
        self.assertEqual(set(VIEWS), set(literals(cell)))


class FieldTests(DocTests):
    """The fields in docs/fields.rst."""

    def entries(self) -> dict[str, tuple[str, str]]:
        """The heading and the meaning of each field."""
        text = section(self.read("docs/fields.rst"), "The fields")
        found = {cells[0].strip("`"): (cells[1], cells[2]) for cells in rows(text)}
        self.assertEqual(len(rows(text)), len(found), "no field twice")
        return found

    def test_each_field_has_a_meaning(self) -> None:
        """And nothing else has."""
        told = self.entries()
        known = {each.name for view in VIEWS.values() for each in view.fields}
        self.assertEqual(known, set(told))
        self.assertTrue(all(meaning for _, meaning in told.values()))

    def test_the_headings_are_those_of_the_columns(self) -> None:
        """One for each way in which it is headed, none if it has no column."""
        shown: dict[str, set[str]] = {name: set() for name in self.entries()}
        for view in VIEWS:
            for each in columns.sets(view):
                for found in columns.columns(view, each):
                    shown[found.name].add(found.heading)
        for name, (heading, _) in self.entries().items():
            said = set(filter(None, re.split(", *", heading)))
            self.assertEqual(shown[name], said, name)

    def test_all_is_reported(self) -> None:
        """There is no field that no table of a node could tell."""
        lacking = {
            field.name
            for name, view in VIEWS.items()
            for field in view.fields
            if field.name not in FLEET.table(name, {}, 0.0).values
        }
        self.assertEqual(set(), lacking)

    def test_no_other_figure_is_named(self) -> None:
        """Of what looks like a field in any of the documents."""
        known = {each.name for view in VIEWS.values() for each in view.fields}
        known |= {"time", "per_second", "up_to_seconds"}
        for name in ("docs/console.rst", "docs/batch.rst", "docs/fields.rst"):
            named = re.findall(r"``(\w+_(?:seconds|second|minute))\b", self.read(name))
            self.assertEqual(set(), {n for n in named if n[0] != "_"} - known, name)


class FilterTests(DocTests):
    """The filters in docs/console.rst."""

    def test_each_example_is_one(self) -> None:
        """Those of the programs; those of other views are in command lines."""
        text = section(self.read("docs/console.rst"), "Filters")
        examples = blocks(text)[0].splitlines()
        self.assertGreater(len(examples), 4)
        for line in examples:
            filters.parse(re.split("  +", line)[0], VIEWS[PROGRAMS])

    def test_the_units_are_those(self) -> None:
        """Durations, shares and numbers as they may be written."""
        for text in ("age>500ms", "age>30s", "age>5m", "age>2h", "age>1d"):
            filters.parse(text, VIEWS["events"])
            said = text.partition(">")[2]
            self.assertIn(f"``{said}``", self.read("docs/console.rst"))


class RuleTests(DocTests):
    """The bounds that docs/console.rst names."""

    def test_bounds(self) -> None:
        """They are those of the code."""
        text = " ".join(self.read("docs/console.rst").split())
        for said in (
            f"a pool has {alert.USED:.0%}".replace("%", " %"),
            f"more than {alert.LONG_SECONDS:.0f} seconds",
            f"{MIN_FEED_SECONDS:g} to {MAX_FEED_SECONDS:.0f}; {Choices().delay:g}",
            f"{asking.PAUSED_ROWS:,} rows",
        ):
            self.assertIn(said, text)
        for name in (alert.CRIT, alert.WARN, alert.OK, *preferences.THEMES):
            self.assertIn(f"``{name}``", text)
        text = " ".join(self.read("docs/batch.rst").split())
        self.assertIn(f"from 1/{1 / player.SLOWEST:.0f} to {player.FASTEST:.0f}", text)

    def test_what_is_kept(self) -> None:
        """The example has each choice, and is taken without a word."""
        (example,) = [
            each
            for each in blocks(self.read("docs/console.rst"))
            if each.startswith("{")
        ]
        directory = self.directory()
        environ = {"XDG_CONFIG_HOME": str(directory)}
        path = preferences.path(environ)
        assert path is not None
        Path(path).parent.mkdir()
        Path(path).write_text(example, encoding="utf-8")
        choices, warnings = preferences.load(environ)
        self.assertEqual((), warnings)
        self.assertNotEqual(Choices(), choices)
        names = {each.name for each in fields_of(Choices)}
        self.assertEqual({"version", *names}, set(json.loads(example)))


class AdviceTests(DocTests):
    """The rules in docs/advice.rst."""

    def test_each_rule_has_a_row(self) -> None:
        """By its name, and there is none for another."""
        package = Path(sizing.__file__).parent
        sources = [each.read_text(encoding="utf-8") for each in package.glob("*.py")]
        named = re.findall(
            r'^ +"([a-z]+(?:-[a-z]+)+)",$', "".join(sources), re.MULTILINE
        )
        text = section(self.read("docs/advice.rst"), "The rules")
        self.assertEqual(
            sorted(named),
            sorted(c[0].strip("`") for c in rows(text) if c[0][:1] == "`"),
        )

    def test_bounds(self) -> None:
        """They are those of the code."""
        text = " ".join(self.read("docs/advice.rst").split())
        told = {
            cells[0].strip("`"): " ".join(cells[1:])
            for cells in rows(self.read("docs/advice.rst"))
        }
        for rule, *bounds in (
            (
                "pool-too-small",
                f"{sizing.FEW_ATTEMPTS} checkouts",
                f"{sizing.WAITS} waited",
            ),
            (
                "pool-too-small",
                f"{sizing.WAIT_SHARE:.0%}".replace("%", " %"),
                f"{sizing.SPARE:g} times",
            ),
            (
                "pool-too-large",
                f"{sizing.TOO_LARGE} times",
                f"{sizing.OBSERVED_SECONDS:.0f} s",
            ),
            ("pool-too-large", f"{sizing.OBSERVED_CHECKOUTS} checkouts"),
            (
                "overflow-churn",
                f"{sizing.CHURNED} connections",
                f"{sizing.CHURN_SHARE * 100:.0f} %",
            ),
            (
                "nullpool-churn",
                f"{sizing.REOPENED} connections",
                f"{sizing.REOPENED_SECONDS:.0f} s",
            ),
            ("nullpool-churn", f"{sizing.REOPENED_PER_SECOND:.0f} a second"),
            ("engine-per-request", f"{misuse.ENGINES} engines"),
            ("idle-in-transaction", f"{alert.LONG_SECONDS:.0f} s"),
            (
                "stale-after-idle",
                f"{holding.DEAD} connections",
                f"{holding.ALIKE:g} times",
            ),
            ("stale-after-idle", f"{holding.SHARE * 100:.0f} %"),
        ):
            for bound in bounds:
                self.assertIn(bound, told[rule], rule)
        for share in (servers.NEAR, servers.FULL):
            self.assertIn(f"{share * 100:.0f} %", text)
            self.assertIn(f"{share * 100:.0f} %", self.read("docs/fields.rst"))


class BatchTests(DocTests):
    """The forms in docs/batch.rst."""

    def test_json(self) -> None:
        """The example has each key of the programs, in their order, and no other."""
        (frame,) = [each for each in FLEET.answers(WHOLE, 0.0) if each.view == PROGRAMS]
        told = json.loads(batch.as_json(frame, 0.0))
        example = next(
            each for each in blocks(self.read("docs/batch.rst")) if each.startswith("{")
        )
        row = [each.name for each in VIEWS[PROGRAMS].fields[:3]]
        expected = [
            key
            for key in _keys(told)
            for key in ([key, *row] if key == PROGRAMS else [key])
        ]
        self.assertEqual(expected, re.findall(r'"(\w+)":', example))

    def test_a_recording(self) -> None:
        """Its first line, and what a picture is made of."""
        text = " ".join(self.read("docs/batch.rst").split())
        path = str(self.directory() / "a.rec")
        recorder = Recorder(path, clock=lambda: 0.0)
        frames = FLEET.answers(WHOLE, 0.0)
        recorder.record(1.0, as_line(frames))
        recorder.close()
        recording = Recording(path)
        self.addCleanup(recording.close)
        version, head, tables = json.loads(recording.picture(0)[1])
        self.assertIn(f"``[{version}, head, [table ...]]``", text)
        self.assertIn(f"of {_listed([each[0] for each in tables])}; all but", text)
        self.assertEqual(9, len(tables[0]))
        self.assertEqual(20, len(head))
        with gzip.open(path, "rt", encoding="utf-8") as file:
            first = file.readline().strip()
        self.assertIn(f"``{first}``", text)


class PictureTests(DocTests):
    """docs/screen.svg, which the README shows."""

    def test_it_shows_the_console_as_it_is(self) -> None:
        """Headings and footer are those of today: else ``make picture``."""
        drawing = ET.fromstring(self.read("docs/screen.svg"))
        said = " ".join("".join(each.itertext()) for each in drawing.iter())
        for name in ("progname", "ckout", "pool_worst", "waiting", "oldest_seconds"):
            self.assertIn(column(PROGRAMS, name).heading, said)
        for cap, word in keys.footer()[:6]:
            self.assertIn(cap, said)
            self.assertIn(word, said)


def _keys(value: Any) -> Iterator[str]:
    """All keys of an object and what is within it, in their order."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _keys(each)


def _listed(names: list[str]) -> str:
    """Names as a sentence has them."""
    return f"{', '.join(names[:-1])} and {names[-1]}"
