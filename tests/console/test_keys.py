"""What was typed: every way terminals send a key, and all that is none."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.keys import BINDINGS, Action, Keyboard, action, hints
from connmon.console.text import ASCII, UNICODE

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
    "^C": b"\x03",
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
        """Pasted text is no typing, even with escapes in it and pauses."""
        keyboard = Keyboard()
        self.assertEqual(["j"], keyboard.feed(b"j\x1b[200~quit q \x1b[A\x1b"))
        self.assertFalse(keyboard.waiting)
        self.assertEqual([], keyboard.timeout())
        self.assertEqual([], keyboard.feed(b"q\x1b[2"))
        self.assertEqual(["k"], keyboard.feed(b"01~k"))

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


class BindingTests(SynchronousTestCase):
    """The one table of what keys do."""

    def test_keys(self) -> None:
        """The keys that the manual promises do what it says."""
        for action_, names in {
            Action.QUIT: "q Q F10 ^C",
            Action.UP: "Up k",
            Action.DOWN: "Down j",
            Action.PAGE_UP: "PgUp",
            Action.PAGE_DOWN: "PgDn",
            Action.TOP: "Home g",
            Action.BOTTOM: "End G",
            Action.REDRAW: "^L",
            Action.PROGRAMS: "1",
            Action.NODES: "4",
        }.items():
            self.assertEqual(
                [action_] * len(names.split()), list(map(action, names.split()))
            )

    def test_no_meaning(self) -> None:
        """Other keys mean nothing."""
        self.assertIs(None, action("x"))
        self.assertIs(None, action("Esc"))

    def test_no_key_twice(self) -> None:
        """No key has two meanings, and each one exists."""
        keys = [key for binding in BINDINGS for key in binding.keys]
        self.assertEqual(len(keys), len(set(keys)))
        known = {*SENT, "k", "j", "g", "Q", "1", "4"}
        self.assertEqual(set(), set(keys) - known)

    def test_hints(self) -> None:
        """The footer names the keys a newcomer needs."""
        self.assertEqual(
            "q quit  ↑↓ PgUp PgDn scroll  1 programs  4 nodes", hints(UNICODE)
        )
        self.assertEqual(
            "q quit  Up Dn PgUp PgDn scroll  1 programs  4 nodes", hints(ASCII)
        )

    def test_hints_with_little_room(self) -> None:
        """What does not fit is left out from the end; the way out stays."""
        for room, expected in (
            (48, "q quit  ↑↓ PgUp PgDn scroll  1 programs  4 nodes"),
            (47, "q quit  ↑↓ PgUp PgDn scroll  1 programs"),
            (38, "q quit  ↑↓ PgUp PgDn scroll"),
            (26, "q quit"),
            (0, "q quit"),
        ):
            self.assertEqual(expected, hints(UNICODE, room))
