"""A line being typed at the foot of the screen: a pure rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from connmon.console.keys import PASTE
from connmon.console.place import Prompt

LIMIT = 400
"""Characters of a line, of which a filter can take all, even quotes, as text.

What is typed beyond them is dropped.
"""

DONE = ("Enter",)
LEFT_OUT = ("Esc", "^C", "^G")

_LAST_WORD = re.compile(r"[^ ]* *\Z")


def typed(prompt: Prompt, key: str) -> Prompt:
    """The line after a key; keys that mean nothing here change nothing."""
    if key.startswith(PASTE):
        return _inserted(prompt, " ".join(key.removeprefix(PASTE).splitlines()))
    if len(key) == 1:
        return _inserted(prompt, key)
    edit = _EDITS.get(key)
    if edit is None:
        return prompt
    before, after = edit(prompt.text[: prompt.caret], prompt.text[prompt.caret :])
    return replace(prompt, text=before + after, caret=len(before))


_Edit = Callable[[str, str], tuple[str, str]]
"""What is before and after the caret, and the same after a key."""

_EDITS: dict[str, _Edit] = {
    "Backspace": lambda before, after: (before[:-1], after),
    "Delete": lambda before, after: (before, after[1:]),
    "^D": lambda before, after: (before, after[1:]),
    "^U": lambda before, after: ("", after),
    "^K": lambda before, after: (before, ""),
    "^W": lambda before, after: (_LAST_WORD.sub("", before), after),
    "Left": lambda before, after: (before[:-1], before[-1:] + after),
    "Right": lambda before, after: (before + after[:1], after[1:]),
    "Home": lambda before, after: ("", before + after),
    "^A": lambda before, after: ("", before + after),
    "End": lambda before, after: (before + after, ""),
    "^E": lambda before, after: (before + after, ""),
}


def _inserted(prompt: Prompt, more: str) -> Prompt:
    """The line with more text before the caret; of it only what can be seen."""
    more = "".join(char if char.isprintable() else " " for char in more)
    more = more[: max(0, LIMIT - len(prompt.text))]
    text = prompt.text[: prompt.caret] + more + prompt.text[prompt.caret :]
    return replace(prompt, text=text, caret=prompt.caret + len(more))
