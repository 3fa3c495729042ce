"""What was typed: every way terminals send a key, and all that is none."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.keys import (
    PASTE,
    PASTE_LIMIT,
    SECTIONS,
    Action,
    Keyboard,
    action,
    footer,
    help_sections,
)

QUICK = settings(deadline=None, max_examples=300, database=None)

SENT = {
    "q": b"q",
    "G": b"G",
    "é": "é".encode(),
    "日": "日".encode(),
    "😀": "😀".encode(),
    "Up": b"\x1b[A \x1bOA",
    "Down": b"\x1b[B \x1bOB",
    "Right": b"\x1b[C \x1bOC",
    "Left": b"\x1b[D \x1bOD",
    "Home": b"\x1b[H \x1bOH \x1b[1~ \x1b[7~",
    "End": b"\x1b[F \x1bOF \x1b[4~ \x1b[8~",
    "PgUp": b"\x1b[5~",
    "PgDn": b"\x1b[6~",
    "Insert": b"\x1b[2~",
    "Delete": b"\x1b[3~",
    "F1": b"\x1bOP \x1b[11~ \x1b[[A",
    "F3": b"\x1bOR \x1b[13~ \x1b[[C",
    "F4": b"\x1bOS \x1b[14~ \x1b[[D",
    "F5": b"\x1b[15~ \x1b[[E",
    "F6": b"\x1b[17~",
    "F10": b"\x1b[21~",
    "F11": b"\x1b[23~",
    "F12": b"\x1b[24~",
    "Ctrl-Up": b"\x1b[1;5A \x1bO5A \x1bO1;5A",
    "Shift-F5": b"\x1b[15;2~",
    "Shift-F3": b"\x1b[1;2R",
    "Shift-Alt-Ctrl-Left": b"\x1b[1;8D",
    "Shift-Tab": b"\x1b[Z",
    "Alt-x": b"\x1bx",
    "Alt-é": b"\x1b\xc3\xa9",
    "Enter": b"\r \n \x1bOM",
    "Tab": b"\t",
    "Backspace": b"\x7f \x08",
    "^B": b"\x02",
    "^C": b"\x03",
    "^F": b"\x06",
    "^L": b"\x0c",
    "^@": b"\x00",
}

NO_KEYS = (
    b"\x1b[?2026;2$y",  # an answer about a mode
    b"\x1b[?62;1;6c",  # an answer about the terminal
    b"\x1b[24;80R",  # an answer about the cursor
    b"\x1b[I",  # the window gained the focus
    b"\x1b[99~",
    b"\x1b[1;99A",
    b"\x1b[1;A",
    b"\x1b[97;5u",
    b"\x1b[<0;3;4M",
    b"\x1b[[Z",
    b"\x1b]11;rgb:0000/0000/0000\x07",
    b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1bP1$r0m\x1b\\",
    b"\x1b_Gi=1;OK\x1b\\",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    "\u0085".encode(),
)


def typed(*pieces: bytes) -> list[str]:
    """Return the keys of pieces that follow closely on one another."""
    keyboard = Keyboard()
    return [key for piece in pieces for key in keyboard.feed(piece)]


class KeyboardTests(SynchronousTestCase):
    """``Keyboard`` tells keys from all else."""

    def test_each_key(self) -> None:
        """Every way of sending a key gives that key."""
        for key, ways in SENT.items():
            for way in ways.split(b" "):
                self.assertEqual([key], typed(way), way)

    def test_space(self) -> None:
        """A space is a key like any other."""
        self.assertEqual([" "], typed(b" "))

    def test_no_keys(self) -> None:
        """Answers, reports and nonsense are dropped whole, up to the next key."""
        for data in NO_KEYS:
            self.assertEqual(["q"], typed(data, b"q"), data)

    def test_lone_escape(self) -> None:
        """Esc is a key once nothing has followed it."""
        keyboard = Keyboard()
        self.assertEqual([], keyboard.feed(b"\x1b"))
        self.assertTrue(keyboard.waiting)
        self.assertEqual(["Esc"], keyboard.timeout())
        self.assertFalse(keyboard.waiting)
        self.assertEqual([], keyboard.timeout())

    def test_two_escapes(self) -> None:
        """Esc before a sequence is a key of its own."""
        self.assertEqual(["Esc", "Up"], typed(b"\x1b\x1b[A"))

    def test_cut_off(self) -> None:
        """A sequence that a pause cuts off is dropped, and its digits are no keys."""
        for begun in (
            b"\x1b[",
            b"\x1b[1",
            b"\x1b[12;5",
            b"\x1bO",
            b"\x1b[[",
            b"\xe2\x82",
        ):
            keyboard = Keyboard()
            self.assertEqual([], keyboard.feed(begun))
            self.assertTrue(keyboard.waiting)
            self.assertEqual([], keyboard.timeout(), begun)
            self.assertEqual(["q"], keyboard.feed(b"q"), begun)

    def test_unended_string(self) -> None:
        """An answer without an end is given up at the next pause."""
        keyboard = Keyboard()
        keyboard.feed(b"\x1b]11;rgb:00")
        self.assertTrue(keyboard.waiting)
        self.assertEqual([], keyboard.timeout())
        self.assertEqual(["q"], keyboard.feed(b"q"))

    def test_interrupted(self) -> None:
        """A sequence that another one interrupts does not hurt the other."""
        self.assertEqual(["Up"], typed(b"\x1b[12\x1b[A"))
        self.assertEqual(["Up"], typed(b"\x1b[12\xe6\x1b[A"))

    def test_paste(self) -> None:
        """Pasted text is one key once it is whole, after those typed before it."""
        pasted = b"\x1b[200~quit q\x1b[201~"
        self.assertEqual(["j", f"{PASTE}quit q", "k"], typed(b"j", pasted, b"k"))
        self.assertEqual([PASTE], typed(b"\x1b[200~\x1b[201~"))

    def test_paste_with_escapes(self) -> None:
        """Escapes within pasted text are text, and pauses do not end it."""
        keyboard = Keyboard()
        self.assertEqual([], keyboard.feed(b"\x1b[200~q \x1b[A\x1b[200~\x1b"))
        self.assertFalse(keyboard.waiting)
        self.assertEqual([], keyboard.timeout())
        self.assertEqual([], keyboard.feed(b"q\x1b[2"))
        self.assertEqual([], keyboard.timeout())
        text = "q \x1b[A\x1b[200~\x1bq"
        self.assertEqual([PASTE + text, "k"], keyboard.feed(b"01~k"))

    def test_two_pastes(self) -> None:
        """Of a second paste nothing of the first one is left."""
        self.assertEqual(
            [f"{PASTE}one", f"{PASTE}two"],
            typed(b"\x1b[200~one\x1b[201~\x1b[200~two\x1b[201~"),
        )
        long = "x" * 20
        self.assertEqual(
            [PASTE + long, f"{PASTE}two"],
            typed(b"\x1b[200~" + long.encode(), b"\x1b[201~\x1b[200~two\x1b[201~"),
        )

    def test_long_paste(self) -> None:
        """Of a long paste the beginning is kept, and no more than that remembered."""
        keyboard = Keyboard()
        keyboard.feed(b"\x1b[200~")
        for _ in range(100):
            self.assertEqual([], keyboard.feed(b"ab" * 1000))
        held = sum(len(each) for each in vars(keyboard).values() if type(each) is bytes)
        self.assertLess(held, PASTE_LIMIT + 10)
        keys = keyboard.feed(b"\x1b[201~q")
        self.assertEqual([PASTE + "ab" * (PASTE_LIMIT // 2), "q"], keys)

    def test_paste_cut_within_a_character(self) -> None:
        """What is no character, or only a part of one, is left out."""
        cut = b"x" + "é".encode() * PASTE_LIMIT
        (key,) = typed(b"\x1b[200~" + cut + b"\x1b[201~")
        self.assertEqual(PASTE + "x" + "é" * ((PASTE_LIMIT - 1) // 2), key)
        self.assertEqual([f"{PASTE}ab"], typed(b"\x1b[200~a\xff\xc3b\x1b[201~"))

    @QUICK
    @given(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
        st.integers(1, 7),
        st.booleans(),
    )
    def test_paste_in_pieces(self, text: str, size: int, pauses: bool) -> None:
        """However its bytes are split, and whenever, the text comes whole."""
        data = b"\x1b[200~" + text.encode() + b"\x1b[201~"
        keyboard = Keyboard()
        keys = keyboard.feed(data[:6])
        for start in range(6, len(data), size):
            self.assertEqual([], keys)
            if pauses:
                self.assertEqual([], keyboard.timeout())
            keys += keyboard.feed(data[start : start + size])
        self.assertEqual([PASTE + text], keys)

    @QUICK
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from([*NO_KEYS, *SENT.values(), b"\x1b[200~", b"\x1b[201~"]),
            )
        ).map(b"".join)
    )
    def test_split_anywhere(self, data: bytes) -> None:
        """Any bytes give the same keys at once and one by one, and do no harm."""
        singly = typed(*(data[i : i + 1] for i in range(len(data))))
        self.assertEqual(typed(data), singly)


ALL = [each for _, bindings in SECTIONS for each in bindings]
KEYS = [key for each in ALL for key in each.keys]


class BindingTests(SynchronousTestCase):
    """The one table of what keys do."""

    def test_keys(self) -> None:
        """The keys that the manual promises do what it says."""
        for wanted, names in {
            Action.QUIT: "q Q F10 ^C",
            Action.HELP: "F1 ? h",
            Action.UP: "Up k",
            Action.DOWN: "Down j",
            Action.PAGE_UP: "PgUp ^B",
            Action.PAGE_DOWN: "PgDn ^F",
            Action.TOP: "Home g",
            Action.BOTTOM: "End G",
            Action.OPEN: "Enter Right",
            Action.BACK: "Esc Left Backspace",
            Action.PROGRAMS: "1",
            Action.HOSTS: "2",
            Action.CHECKOUTS: "3",
            Action.NODES: "4",
            Action.EVENTS: "5",
            Action.PROCESSES: "6",
            Action.POOLS: "7",
            Action.CONNECTIONS: "8",
            Action.TIMEOUTS: "9",
            Action.SITES: "0",
            Action.GROUP: "b",
            Action.SERVERS: "D",
            Action.SHARES: "P",
            Action.ADVICE: "V",
            Action.NEXT_VIEW: "Tab",
            Action.PREVIOUS_VIEW: "Shift-Tab",
            Action.TREE: "F5 t",
            Action.COLUMNS: "m",
            Action.SORT_LEFT: "<",
            Action.SORT_RIGHT: ">",
            Action.REVERSE: "R I",
            Action.SORT_MENU: "F6",
            Action.SORT_NAME: "n",
            Action.SORT_CONN: "c",
            Action.SORT_CKOUT: "o",
            Action.SORT_WAIT: "w",
            Action.SORT_AGE: "a",
            Action.SORT_RATE: "r",
            Action.SORT_POOL: "p",
            Action.ALERTS_FIRST: "A",
            Action.SEARCH: "/ F3",
            Action.SEARCH_ON: "&",
            Action.FILTER: "\\ F4",
            Action.NEXT_ALERT: "!",
            Action.RESET: "=",
            Action.SLOWER: "+",
            Action.FASTER: "-",
            Action.DELAY: "d",
            Action.BUSY: "i",
            Action.UNITS: "u",
            Action.NAMES: "H",
            Action.THEME: "T",
            Action.LOG: "L",
            Action.SAVE: "S",
            Action.KEEP: "W",
            Action.REDRAW: "^L",
        }.items():
            for key in names.split():
                self.assertIs(wanted, action(key), key)
        self.assertIs(Action.PAUSE, action(" "))

    def test_replay(self) -> None:
        """Some keys mean something only while a recording is shown."""
        for wanted, key in {
            Action.STEP_BACK: ",",
            Action.STEP_ON: ".",
            Action.SLOW_MOTION: "[",
            Action.FAST_MOTION: "]",
            Action.JUMP: "J",
        }.items():
            self.assertIs(None, action(key))
            self.assertIs(wanted, action(key, replay=True))
        self.assertIs(Action.QUIT, action("q", replay=True))

    def test_no_meaning(self) -> None:
        """Other keys mean nothing, and no text that was pasted means anything."""
        for key in ("x", "F2", "Alt-q", "Ctrl-Up", "", f"{PASTE}q", PASTE):
            self.assertIs(None, action(key, replay=True))

    def test_every_action(self) -> None:
        """Every action has its keys in one place, a meaning, and no key of another."""
        self.assertEqual(
            sorted(Action, key=str), sorted((a.action for a in ALL), key=str)
        )
        self.assertEqual(len(KEYS), len(set(KEYS)))
        for each in ALL:
            self.assertTrue(each.keys)
            self.assertTrue(each.meaning)

    def test_keys_exist(self) -> None:
        """Every key of the table is one that a terminal sends, by that name."""
        for key in KEYS:
            if len(key) == 1:
                self.assertEqual([key], typed(key.encode()))
            else:
                self.assertIn(key, {*SENT, "Esc"})

    def test_help(self) -> None:
        """The help names every key once, under the name that is printed on it."""
        for replay in (False, True):
            named = [
                (key, meaning)
                for _, keys in help_sections(replay)
                for caps, meaning in keys
                for key in caps.split()
            ]
            expected = [
                ("Spc" if key == " " else key, each.meaning)
                for each in ALL
                if replay or not each.replay
                for key in each.keys
            ]
            self.assertEqual(expected, named)

    def test_sections(self) -> None:
        """The section about recordings is there only while one is shown."""
        titles = [title for title, _ in help_sections()]
        self.assertEqual(["MOVE", "VIEWS", "SORT", "FIND", "SHOW", "HELP"], titles)
        self.assertEqual(
            {*titles, "REPLAY"}, {title for title, _ in help_sections(replay=True)}
        )

    def test_meanings_are_short(self) -> None:
        """What a key does is told in few words, so that all keys fit on a screen."""
        for each in ALL:
            self.assertLessEqual(len(each.meaning), 24, each)
            self.assertLessEqual(len(each.word), 7, each)

    def test_footer(self) -> None:
        """The footer names the keys a newcomer needs, help first."""
        self.assertEqual(
            "F1Help /Search \\Filter F5Tree F6Sort EnterOpen SpcPause mColumns qQuit",
            " ".join(key + word for key, word in footer()),
        )

    def test_footer_of_a_recording(self) -> None:
        """Of a recording it tells how to go through that, too."""
        more = [pair for pair in footer(replay=True) if pair not in footer()]
        self.assertEqual([(".", "Step"), ("]", "Faster"), ("J", "Jump")], more)

    def test_one_table(self) -> None:
        """Whatever has a word for the footer is there, and does what its key does."""
        for replay in (False, True):
            words = {each.action: each.word for each in ALL if each.word}
            for key, word in footer(replay):
                wanted = action(" " if key == "Spc" else key, replay)
                assert wanted is not None
                self.assertEqual(words[wanted], word)
            shown = {each for each in ALL if each.word and (replay or not each.replay)}
            self.assertEqual(len(shown), len(footer(replay)))
