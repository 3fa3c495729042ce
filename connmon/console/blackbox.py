"""A checkout that timed out, in lines: who held its pool's connections, who waited."""

from __future__ import annotations

from connmon.console import clock, figures
from connmon.console.cells import harmless, sentence, takings
from connmon.console.marks import Values, number
from connmon.console.text import Glyphs
from connmon.views.schema import Taking


def lines(values: Values, at: float | None, glyphs: Glyphs) -> list[str]:
    """Which pool, when, how full it was, who gave up, who held and who waited.

    ``values`` are a row of the view of the timeouts that came ``at`` this Unix time.
    """
    age = number(values.get("age_seconds"))
    when = ""
    if age is not None and at is not None:
        when = clock.told(at - age, clock.DATE_AND_TIME)
    names = [harmless(values.get(name), glyphs) for name in ("hostname", "progname")]
    pid = number(values.get("pid"))
    names[1] += "" if pid is None else f"[{int(pid)}]"
    pool = harmless(values.get("pool_name"), glyphs)
    return [
        "  ".join(filter(None, (when, *names, pool))),
        f"  {_full(values)}",
        f"  {_victim(values, glyphs)}",
        *_takings("held by", values.get("holders"), glyphs),
        *_takings("waiting", values.get("waiters"), glyphs),
    ]


def _full(values: Values) -> str:
    """How full the pool was, and how often it has timed out."""
    held, capacity, waiting, timeouts = (
        None if (value := number(values.get(name))) is None else int(value)
        for name in ("held", "capacity", "waiting", "timeouts")
    )
    of = "" if capacity is None else f" of {figures.count(capacity)}"
    return (
        f"{figures.count(held)}{of} out, {figures.count(waiting)} more waiting, "
        f"{figures.count(timeouts)} timed out so far"
    )


def _victim(values: Values, glyphs: Glyphs) -> str:
    """Who gave up, where, and after how long."""
    waited = figures.duration(number(values.get("waited_seconds")))
    owner = harmless(values.get("owner"), glyphs) or "somebody"
    site = sentence(values.get("site"), glyphs)
    tag = harmless(values.get("tag"), glyphs)
    said = f"{owner} gave up after {waited}" + (f" at {site}" if site else "")
    return f"{said}  tag {tag}" if tag else said


def _takings(title: str, value: object, glyphs: Glyphs) -> list[str]:
    """A line for each of those who had a connection, or waited for one."""
    lines = [_taking(each, glyphs) for each in takings(value)]
    return [f"  {title}:", *lines] if lines else []


def _taking(taking: Taking, glyphs: Glyphs) -> str:
    session = number(taking.session)
    said = [
        figures.duration(number(taking.seconds)).rjust(6),
        sentence(taking.site, glyphs) or figures.UNKNOWN,
        harmless(taking.owner, glyphs),
        "" if session is None else f"session {int(session)}",
        _named("from", taking.address, glyphs),
        _named("tag", taking.tag, glyphs),
    ]
    return "    " + "  ".join(filter(None, said))


def _named(word: str, name: str, glyphs: Glyphs) -> str:
    """A name after a word for what it is; empty without one."""
    said = harmless(name, glyphs)
    return f"{word} {said}" if said else ""
