"""What there is to say of the selected row below the table: what is cut, or no column.

That is on as many lines as there is room for; on one if there is no more.
"""

from __future__ import annotations

from connmon.console import figures
from connmon.console.cells import (
    Manner,
    harmless,
    records,
    sentence,
    takings,
    tallies,
)
from connmon.console.line import packed
from connmon.console.marks import Values, number
from connmon.console.text import Glyphs, Line, Style
from connmon.views.schema import (
    ADVICE,
    CHECKOUTS,
    CONNECTIONS,
    EVENTS,
    POOLS,
    SITES,
    TAGS,
    TIMEOUTS,
    WAIT_HISTOGRAM,
    Taking,
)

_NAMED = {
    POOLS: ("hostname", "progname", "pool_name"),
    CONNECTIONS: ("site",),
    CHECKOUTS: ("site",),
    SITES: ("site",),
    TAGS: ("tag",),
    EVENTS: (),
    TIMEOUTS: (),
    ADVICE: (),
}
"""What names a row of a view, where that is not just host, program or node."""

_SAID = {EVENTS: "text", ADVICE: "finding"}
"""All that is said of a row of these views."""

_GAP = "   "


def lines(
    view: str, values: Values, glyphs: Glyphs, room: int, most: int
) -> list[Line]:
    """At most so many lines of ``room`` cells; the last is longer if all do not fit."""
    name = _name(view, values, glyphs)
    said = [name, *_sentences(view, values, glyphs)]
    listed = _listed(view, values, glyphs)
    texts = [*packed(said, _GAP, room - 1), *packed(listed, " ", room - 1)]
    if most < 2:
        texts = [_GAP.join(filter(None, [*said, " ".join(listed)]))]
    elif len(texts) > most:
        texts[most - 1 :] = [" ".join(texts[most - 1 :])]
    first, *further = texts or [""]
    size = len(name) + 1 if name else 0
    named = (Style.VALUE, f" {first}"[:size]), (Style.PLAIN, f" {first}"[size:])
    return [
        tuple(each for each in named if each[1]),
        *(((Style.PLAIN, f" {text}"),) for text in further),
    ]


def _name(view: str, values: Values, glyphs: Glyphs) -> str:
    names = _NAMED.get(view, ("hostname", "progname", "node"))
    named = (harmless(values.get(each), glyphs) for each in names)
    return " ".join(each for each in named if each)


def _sentences(view: str, values: Values, glyphs: Glyphs) -> list[str]:
    """Whose it is, and what is wrong with it."""
    if view in _SAID:
        return [sentence(values.get(_SAID[view]), glyphs)]
    if view == TIMEOUTS:
        return []
    waits = ", ".join(tallies(WAIT_HISTOGRAM, values, glyphs))
    owner, uses = harmless(values.get("owner"), glyphs), number(values.get("uses"))
    return [
        f"thread {owner}" if owner else "",
        "" if uses is None else _times(int(uses)),
        sentence(values.get("reason"), glyphs),
        ", ".join(tallies("closings", values, glyphs)),
        f"waits up to {waits}" if waits else "",
    ]


def _times(uses: int) -> str:
    """How often a connection was checked out."""
    return "1 use" if uses == 1 else f"{figures.count(uses)} uses"


def _listed(view: str, values: Values, glyphs: Glyphs) -> list[str]:
    """Who holds connections of it, or waits for one, each to stay on one line."""
    if view == TIMEOUTS:
        return _with_semicolons(records(values.get("holders"), Manner(glyphs)))
    waiters = takings(values.get("waiters")) if view == POOLS else []
    said = [_wait(each, glyphs) for each in waiters]
    every = int(number(values.get("waiting")) or 0)
    if said and every > len(said):
        said.append(f"and {figures.count(every - len(said))} more")
    return ["waiting:", *_with_semicolons(said)] if said else []


def _wait(waiter: Taking, glyphs: Glyphs) -> str:
    """For how long somebody has waited, who, and where."""
    site = sentence(waiter.site, glyphs)
    said = (
        figures.duration(number(waiter.seconds)),
        harmless(waiter.owner, glyphs),
        f"at {site}" if site else "",
    )
    return " ".join(filter(None, said))


def _with_semicolons(said: list[str]) -> list[str]:
    return [*(f"{each};" for each in said[:-1]), *said[-1:]]
