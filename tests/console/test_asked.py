"""What is asked at the foot of the screen: filter, search, delay, file and time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.choices import Choices
from connmon.console.keys import PASTE
from connmon.console.place import Asking, Place, Prompt, Screen
from connmon.console.pressing import Do, Effect, Sight
from connmon.console.prompt import LIMIT
from connmon.console.screen import press
from connmon.views import filters
from connmon.views.schema import (
    CONNECTIONS,
    EVENTS,
    HOSTS,
    NODES,
    PROGRAMS,
    TIMEOUTS,
    VIEWS,
)
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS
from tests.console.viewer import a_frame, key_of, programs

QUICK = settings(deadline=None, max_examples=200, database=None)

FRAME = a_frame(rows=programs(20))


def pressed(screen: Screen, *keys: str, replay: bool = False) -> tuple[Screen, Effect]:
    """The screen after keys, and the effect of the last one; the others have none."""
    sight = Sight(FRAME, 5, ("hostname",), replay=replay, now="20261126-140231")
    effect = Effect()
    for key in keys:
        assert effect == Effect(), effect
        screen, effect = press(screen, key, sight)
    return screen, effect


def after(screen: Screen, *keys: str, replay: bool = False) -> Screen:
    """The screen after keys that have no effect besides."""
    screen, effect = pressed(screen, *keys, replay=replay)
    assert effect == Effect(), effect
    return screen


class PromptTests(SynchronousTestCase):
    """A prompt, whatever it asks for."""

    def test_given(self) -> None:
        """What there is to begin with is there, with the caret after it."""
        screen = Screen((Place(where="nova"),), Choices(delay=2.0))
        for key, asking, text in (
            ("\\", Asking.FILTER, "nova"),
            ("F4", Asking.FILTER, "nova"),
            ("/", Asking.SEARCH, ""),
            ("F3", Asking.SEARCH, ""),
            ("d", Asking.DELAY, "2"),
            ("S", Asking.SAVE, "connmon-20261126-140231.txt"),
            ("J", Asking.JUMP, ""),
        ):
            found = after(screen, key, replay=key == "J")
            self.assertEqual(Prompt(asking, text, len(text)), found.prompt)

    def test_jump_only_in_recordings(self) -> None:
        """Nobody is asked for a time that cannot be gone to."""
        self.assertEqual(None, after(Screen(), "J").prompt)

    def test_keys_are_text(self) -> None:
        """While something is typed, keys are text, even those that leave connmon."""
        screen = after(Screen(), "/", *"qQ2 jG!")
        self.assertEqual(Prompt(Asking.SEARCH, "qQ2 jG!", 7), screen.prompt)
        for key in ("F10", "F1", "Up", "PgDn", "Tab", "F5"):
            self.assertEqual(screen, after(screen, key))

    def test_leave(self) -> None:
        """Esc, ^C and ^G leave it, and nothing is changed."""
        before = Screen((Place(where="nova"),), search="last")
        for key in ("Esc", "^C", "^G"):
            for opened in "\\/dSJ":
                begun = after(before, opened, "x", replay=opened == "J")
                self.assertEqual(before, after(begun, key))

    def test_backspace(self) -> None:
        """Backspace leaves it once there is nothing left to take away."""
        screen = after(Screen(), "/", "a", "Backspace")
        self.assertEqual(Prompt(Asking.SEARCH), screen.prompt)
        self.assertEqual(Screen(), after(screen, "Backspace"))
        screen = after(Screen(), "/", "a", "Home", "Backspace")
        self.assertEqual(Prompt(Asking.SEARCH, "a", 0), screen.prompt)

    def test_paste(self) -> None:
        """Pasted text goes into the line, and does not end it."""
        screen = after(Screen(), "/", "a", f"{PASTE}nova\napi\n")
        self.assertEqual(Prompt(Asking.SEARCH, "anova api", 9), screen.prompt)

    def test_redraw(self) -> None:
        """^L draws afresh and leaves the line as it is."""
        screen = after(Screen(), "/", "a")
        self.assertEqual((screen, Effect(Do.REDRAW)), pressed(screen, "^L"))


class FilterTests(SynchronousTestCase):
    """The prompt for a filter."""

    def test_filter(self) -> None:
        """A filter is of the place where it was typed."""
        screen = Screen((Place(), Place(HOSTS)))
        screen = after(screen, "\\", *" conn>5 ", "Enter")
        self.assertEqual((Place(), Place(HOSTS, where="conn>5")), screen.places)
        self.assertEqual((None, ""), (screen.prompt, screen.notice))

    def test_cursor_stays(self) -> None:
        """The row that was chosen stays chosen."""
        screen = Screen((Place(selected=key_of(3), line=1, first=2),))
        screen = after(screen, "\\", "p", "Enter")
        self.assertEqual(key_of(3), screen.place.selected)

    def test_none(self) -> None:
        """An empty line, or one of blanks, is no filter."""
        for keys in (["^U"], ["^U", " ", " "]):
            screen = after(Screen((Place(where="nova"),)), "\\", *keys, "Enter")
            self.assertEqual(Screen(), screen)

    def test_bad(self) -> None:
        """One that cannot be understood stays to be mended, with the reason."""
        begun = after(Screen((Place(where="a"),)), "\\", "^U", *"nosuch>5", "Enter")
        self.assertEqual(Prompt(Asking.FILTER, "nosuch>5", 8), begun.prompt)
        self.assertTrue(begun.notice_is_error)
        self.assertIn("'nosuch', no field of programs", begun.notice)
        self.assertEqual("a", begun.where)
        mended = after(begun, "^U", *"conn>5")
        self.assertEqual(("", False), (mended.notice, mended.notice_is_error))
        self.assertEqual("conn>5", after(mended, "Enter").where)
        self.assertEqual(Screen((Place(where="a"),)), after(begun, "Esc"))

    @QUICK
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    def test_only_what_is_understood(self, text: str) -> None:
        """Whatever is typed, what is kept as a filter is one."""
        screen = after(Screen(), "\\", *text, "Enter")
        filters.parse(screen.where, VIEWS[PROGRAMS])
        self.assertEqual(screen.prompt is not None, screen.notice_is_error)


class SearchTests(SynchronousTestCase):
    """The prompt for a search, and the keys that go on from there."""

    def test_search(self) -> None:
        """A text is looked for as it stands, signs of the filters included."""
        for text, wanted in (
            ("nova", '"nova"'),
            ("conn>5 -x", '"conn>5 -x"'),
            ('a"b', '"a""b"'),
        ):
            screen, effect = pressed(Screen(), "/", *text, "Enter")
            self.assertEqual(Effect(Do.FIND, wanted, 1), effect)
            self.assertEqual(Screen(search=text), screen)

    def test_again(self) -> None:
        """& goes on, and so does a search for nothing new."""
        screen = Screen(search="nova")
        for keys in (["&"], ["/", "Enter"]):
            self.assertEqual(
                (screen, Effect(Do.FIND, '"nova"', 1)), pressed(screen, *keys)
            )

    def test_nothing(self) -> None:
        """Without a text there is nothing to search for, which is said."""
        for keys in (["&"], ["/", "Enter"]):
            screen = after(Screen(), *keys)
            self.assertEqual("nothing to search for: / asks", screen.notice)
            self.assertEqual(None, screen.prompt)

    def test_longest(self) -> None:
        """Even the longest text, all quotes, is one that a node understands."""
        _, effect = pressed(Screen(), "/", PASTE + '"' * 999, "Enter")
        self.assertEqual(2 * LIMIT + 2, len(effect.text))
        filters.parse(effect.text, VIEWS[PROGRAMS])

    def test_next_alert(self) -> None:
        """! looks for what is not well, and is known to be so, in every view."""
        for view, wanted in (
            (PROGRAMS, "alert!=ok alert!=-"),
            (CONNECTIONS, "alert!=ok alert!=-"),
            (NODES, "state!=up state!=-"),
            (EVENTS, "severity!=info severity!=-"),
            (TIMEOUTS, "process!=-"),
        ):
            _, effect = pressed(Screen((Place(view),)), "!")
            self.assertEqual(Effect(Do.FIND, wanted, 1), effect)
        for view in set(VIEWS) - {TIMEOUTS}:
            _, effect = pressed(Screen((Place(view),)), "!")
            found = filters.parse(effect.text, VIEWS[view])
            (field,) = found.fields
            well = effect.text.split()[0].partition("!=")[2]
            for value, expected in (("crit", True), (well, False), (None, False)):
                row: dict[str, object] = {field: value}
                self.assertEqual(expected, found.holds(row.__getitem__))


class DelayTests(SynchronousTestCase):
    """The time between updates."""

    def delayed(self, text: str) -> Screen:
        """The screen after a delay was typed."""
        return after(Screen(), "d", "^U", *text, "Enter")

    def test_delay(self) -> None:
        """A number of seconds is taken, and what holds now is said."""
        for text, seconds, said in (
            ("5", 5.0, "5"),
            (" .25 ", 0.25, "0.25"),
            (f"{MIN_FEED_SECONDS:g}", MIN_FEED_SECONDS, "0.1"),
            (f"{MAX_FEED_SECONDS:g}", MAX_FEED_SECONDS, "3600"),
        ):
            screen = self.delayed(text)
            self.assertEqual(seconds, screen.choices.delay)
            self.assertEqual(
                (None, f"an update every {said} s"), (screen.prompt, screen.notice)
            )

    def test_bad(self) -> None:
        """Anything else stays to be mended, with what was expected."""
        for text in (
            "",
            "x",
            "0",
            "0.0999",
            "3600.1",
            "-1",
            "nan",
            "inf",
            "1e999",
            "1 2",
        ):
            screen = self.delayed(text)
            self.assertEqual(Choices().delay, screen.choices.delay, text)
            self.assertEqual(Prompt(Asking.DELAY, text, len(text)), screen.prompt)
            self.assertEqual("expected seconds from 0.1 to 3600", screen.notice)
            self.assertTrue(screen.notice_is_error)

    def test_faster_and_slower(self) -> None:
        """+ and - go to the next of some paces, wherever they begin."""
        for begin, key, seconds in (
            (2.0, "+", 3.0),
            (2.0, "-", 1.0),
            (2.5, "+", 3.0),
            (2.5, "-", 2.0),
            (0.1, "-", 0.1),
            (60.0, "+", 60.0),
            (3600.0, "+", 3600.0),
            (3600.0, "-", 60.0),
        ):
            screen = after(Screen(choices=Choices(delay=begin)), key)
            self.assertEqual(seconds, screen.choices.delay, (begin, key))
            self.assertEqual(f"an update every {seconds:g} s", screen.notice)

    def test_all_paces(self) -> None:
        """From the fastest to the slowest there are few keys, and as many back."""
        screen = Screen(choices=Choices(delay=MIN_FEED_SECONDS))
        there = after(screen, *["+"] * 9)
        self.assertEqual(60.0, there.choices.delay)
        self.assertEqual(MIN_FEED_SECONDS, after(there, *["-"] * 9).choices.delay)


class FileAndTimeTests(SynchronousTestCase):
    """The file to save the screen to, and the time to go to."""

    def test_save(self) -> None:
        """The name is used without the blanks around it."""
        screen, effect = pressed(Screen(), "S", "Enter")
        self.assertEqual(Effect(Do.SAVE, "connmon-20261126-140231.txt"), effect)
        self.assertEqual(Screen(), screen)
        _, effect = pressed(Screen(), "S", "^U", *" my file ", "Enter")
        self.assertEqual(Effect(Do.SAVE, "my file"), effect)

    def test_jump(self) -> None:
        """The time is passed on as it was typed: only the recording knows times."""
        screen, effect = pressed(Screen(), "J", *" 14:02 ", "Enter", replay=True)
        self.assertEqual((Screen(), Effect(Do.JUMP, "14:02")), (screen, effect))

    def test_nothing(self) -> None:
        """Without a name or a time nothing happens."""
        self.assertEqual(Screen(), after(Screen(), "S", "^U", " ", "Enter"))
        self.assertEqual(Screen(), after(Screen(), "J", "Enter", replay=True))
