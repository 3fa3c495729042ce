"""A line being typed: what each key does to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.console.keys import PASTE, SECTIONS
from connmon.console.place import Asking, Prompt
from connmon.console.prompt import DONE, LEFT_OUT, LIMIT, typed
from connmon.views import filters
from connmon.views.schema import PROGRAMS, VIEWS

QUICK = settings(deadline=None, max_examples=200, database=None)

EDITING = (
    *("Backspace", "Delete", "Left", "Right", "Home", "End"),
    *("^A", "^E", "^U", "^K", "^W", "^D"),
)


def after(begun: str, *keys: str) -> str:
    """The line after keys, with a bar where the caret is, as before them."""
    caret = begun.index("|")
    prompt = Prompt(Asking.FILTER, begun.replace("|", "", 1), caret)
    for key in keys:
        prompt = typed(prompt, key)
    return prompt.text[: prompt.caret] + "|" + prompt.text[prompt.caret :]


class TypedTests(SynchronousTestCase):
    """``typed`` changes a line as a shell would."""

    def test_characters(self) -> None:
        """Characters come before the caret, whatever they mean elsewhere."""
        self.assertEqual("q 1é日|", after("|", "q", " ", "1", "é", "日"))
        self.assertEqual("axb|c", after("a|c", "x", "b"))

    def test_backspace(self) -> None:
        """Backspace takes the character before the caret, if there is one."""
        self.assertEqual("a|c", after("ab|c", "Backspace"))
        self.assertEqual("|c", after("|c", "Backspace"))

    def test_delete(self) -> None:
        """Delete and ^D take the character after it, if there is one."""
        for key in ("Delete", "^D"):
            self.assertEqual("a|c", after("a|bc", key))
            self.assertEqual("a|", after("a|", key))

    def test_moves(self) -> None:
        """Left, Right, Home and End move the caret, and stay within the line."""
        for begun, keys, expected in (
            ("ab|", "Left", "a|b"),
            ("|ab", "Left", "|ab"),
            ("a|b", "Right", "ab|"),
            ("ab|", "Right", "ab|"),
            ("ab|c", "Home", "|abc"),
            ("ab|c", "^A", "|abc"),
            ("a|bc", "End", "abc|"),
            ("a|bc", "^E", "abc|"),
        ):
            self.assertEqual(expected, after(begun, keys), keys)

    def test_to_the_ends(self) -> None:
        """^U takes all before the caret, ^K all after it."""
        self.assertEqual("|c", after("ab|c", "^U"))
        self.assertEqual("ab|", after("ab|cd", "^K"))

    def test_word(self) -> None:
        """^W takes the word before the caret with the blanks after it."""
        for begun, expected in (
            ("one two|", "one |"),
            ("one two  |x", "one |x"),
            ("one tw|o", "one |o"),
            ("one|", "|"),
            (" one|", " |"),
            ("  |", "|"),
            ("|one", "|one"),
        ):
            self.assertEqual(expected, after(begun, "^W"), begun)

    def test_paste(self) -> None:
        """Pasted text comes before the caret like what is typed."""
        self.assertEqual("aquit|b", after("a|b", f"{PASTE}quit"))
        self.assertEqual("a|b", after("a|b", PASTE))

    def test_paste_of_lines(self) -> None:
        """Lines become one, and the end of the last one is no blank."""
        self.assertEqual("ctl1 nova-api|", after("|", f"{PASTE}ctl1\r\nnova-api\n"))

    def test_paste_of_what_cannot_be_seen(self) -> None:
        """What cannot be seen is a blank, escapes included."""
        self.assertEqual("a [31mb c|", after("|", f"{PASTE}a\x1b[31mb\tc"))

    def test_other_keys(self) -> None:
        """Keys that mean nothing here change nothing, even if they do elsewhere."""
        keys = {key for _, each in SECTIONS for b in each for key in b.keys}
        for key in {*keys, "F2", "Alt-x", "Ctrl-Left", "Insert", "^R"}:
            if len(key) > 1 and key not in EDITING:
                self.assertEqual("a|b", after("a|b", key), key)

    def test_full(self) -> None:
        """What is typed or pasted into a full line is dropped, and nothing else."""
        full = "x" * (LIMIT - 1) + "z"
        self.assertEqual(f"|{full}", after(f"|{full}", "a", f"{PASTE}bc"))
        self.assertEqual(f"ab|{full[2:]}", after(f"|{full[2:]}", f"{PASTE}abc"))

    def test_ends(self) -> None:
        """Neither the key that ends it nor those that leave it are text."""
        for key in (*DONE, *LEFT_OUT):
            self.assertEqual("a|b", after("a|b", key))

    @QUICK
    @given(
        st.lists(
            st.sampled_from(EDITING) | st.characters() | st.text().map(PASTE.__add__)
        )
    )
    def test_caret_within(self, keys: list[str]) -> None:
        """The caret is within a line that fits on one line, whatever is typed."""
        prompt = Prompt(Asking.SEARCH)
        for key in keys:
            prompt = typed(prompt, key)
            self.assertTrue(0 <= prompt.caret <= len(prompt.text) <= LIMIT)
            self.assertTrue(prompt.text.isprintable())

    def test_all_can_be_searched(self) -> None:
        """Any line can be looked for as text, were it quotes alone."""
        for char in '"x ':
            filters.parse(filters.literal(char * LIMIT), VIEWS[PROGRAMS])
