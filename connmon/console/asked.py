"""What is asked at the foot of the screen, and what follows from the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from connmon.console import prompt
from connmon.console.place import Asking, Prompt, Screen
from connmon.console.pressing import Do, Effect, Pressed, Rule, Sight, noticed
from connmon.errors import QueryError
from connmon.views import filters
from connmon.views.schema import VIEWS
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

_WELL = (("alert", "ok"), ("severity", "info"), ("state", "up"))
"""What says of a row how it is, and that all is well. Timeouts have none of these."""

_PACES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)


def of_updates(change: Rule) -> Rule:
    """What changes the time between updates, which a recording has of its own."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        if sight.replay:
            return noticed(screen, "a recording has its own pace: [ and ]"), Effect()
        return change(screen, sight)

    return rule


def ask(asking: Asking) -> Rule:
    """Ask, with an answer to begin with where there is one."""

    def rule(screen: Screen, sight: Sight) -> Pressed:
        given = {
            Asking.FILTER: screen.where,
            Asking.SAVE: f"connmon-{sight.now}.txt",
            Asking.DELAY: f"{screen.choices.delay:g}",
        }
        text = given.get(asking, "")
        return replace(screen, prompt=Prompt(asking, text, len(text))), Effect()

    return rule


def in_prompt(screen: Screen, line: Prompt, key: str) -> Pressed:
    """A key while something is being typed."""
    if key in prompt.LEFT_OUT or (key == "Backspace" and not line.text):
        return _closed(screen), Effect()
    if key in prompt.DONE:
        return _ANSWERS[line.asking](screen, line.text)
    changed = replace(screen, prompt=prompt.typed(line, key))
    return noticed(changed, ""), Effect()


def search_on(screen: Screen, sight: Sight) -> Pressed:
    """Go to the next row in which the text is that was searched for last."""
    if not screen.search:
        return noticed(screen, "nothing to search for: / asks"), Effect()
    return screen, Effect(Do.FIND, filters.literal(screen.search), 1)


def next_alert(screen: Screen, sight: Sight) -> Pressed:
    """Go to the next row that is not well; each timeout is one."""
    view = VIEWS[screen.place.view]
    for field, well in _WELL:
        if view.field(field):
            return screen, Effect(Do.FIND, f"{field}!={well} {field}!=-", 1)
    return screen, Effect(Do.FIND, f"{view.key[0]}!=-", 1)


def slower(screen: Screen, sight: Sight) -> Pressed:
    """The next longer time between updates."""
    now = screen.choices.delay
    return _paced(screen, next((p for p in _PACES if p > now), now)), Effect()


def faster(screen: Screen, sight: Sight) -> Pressed:
    """The next shorter time between updates."""
    now = screen.choices.delay
    return _paced(screen, next((p for p in _PACES[::-1] if p < now), now)), Effect()


def _closed(screen: Screen) -> Screen:
    return noticed(replace(screen, prompt=None), "")


def _filtered(screen: Screen, text: str) -> Pressed:
    """Filter; what cannot be understood stays to be mended."""
    try:
        filters.parse(text, VIEWS[screen.place.view])
    except QueryError as error:
        return noticed(screen, str(error), error=True), Effect()
    place = replace(screen.place, where=text.strip())
    return _closed(screen.at(place)), Effect()


def _searched(screen: Screen, text: str) -> Pressed:
    """Search, for the last text again if none is given."""
    screen = replace(_closed(screen), search=text or screen.search)
    return search_on(screen, Sight())


def _delayed(screen: Screen, text: str) -> Pressed:
    """Set the delay; what is none stays to be mended."""
    try:
        delay = float(text)
    except ValueError:
        delay = float("nan")
    if not MIN_FEED_SECONDS <= delay <= MAX_FEED_SECONDS:
        expected = f"{MIN_FEED_SECONDS:g} to {MAX_FEED_SECONDS:g}"
        text = f"expected seconds from {expected}"
        return noticed(screen, text, error=True), Effect()
    return _paced(_closed(screen), delay), Effect()


def _paced(screen: Screen, delay: float) -> Screen:
    screen = replace(screen, choices=replace(screen.choices, delay=delay))
    return noticed(screen, f"an update every {delay:g} s")


def _saved(screen: Screen, text: str) -> Pressed:
    effect = Effect(Do.SAVE, text.strip()) if text.strip() else Effect()
    return _closed(screen), effect


def _jumped(screen: Screen, text: str) -> Pressed:
    effect = Effect(Do.JUMP, text.strip()) if text.strip() else Effect()
    return _closed(screen), effect


_ANSWERS: dict[Asking, Callable[[Screen, str], Pressed]] = {
    Asking.FILTER: _filtered,
    Asking.SEARCH: _searched,
    Asking.DELAY: _delayed,
    Asking.SAVE: _saved,
    Asking.JUMP: _jumped,
}
