"""All rules, and what they have to say of a fleet: the rows of the view ``advice``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from connmon.model.blackbox import BlackBox
from connmon.model.process import Process
from connmon.views.advice import holding, misuse, sizing
from connmon.views.advice.finding import SEVERITIES, Finding
from connmon.views.advice.nested import nested
from connmon.views.advice.use import Use, uses
from connmon.views.moment import Moment
from connmon.views.schema import ADVICE, VIEWS
from connmon.views.table import Scope, Table

RULES: tuple[Callable[[Use], Iterator[Finding]], ...] = (
    nested,
    misuse.inherited,
    sizing.too_small,
    holding.idle_in_transaction,
    sizing.unbounded,
    sizing.overflow_churn,
    sizing.nullpool_churn,
    holding.stale_after_idle,
    misuse.settings_differ,
    sizing.too_large,
)
"""Those about one pool of a program; each has one finding at most."""


def advice(moment: Moment, scope: Scope) -> Table:
    """A row for each finding, the worst first."""
    values: dict[str, Callable[[Any], Any]] = {
        each.name: attrgetter(each.name) for each in VIEWS[ADVICE].fields
    }
    wanted = scope.get("progname")
    found = findings(moment, wanted if isinstance(wanted, str) else None)
    return Table(VIEWS[ADVICE], found, values)


def findings(moment: Moment, progname: str | None = None) -> list[Finding]:
    """All findings, or those about programs of that name; the worst first."""
    programs: dict[str, list[Process]] = {}
    for program in moment.board.sums.programs.values():
        if program.live and progname in (None, program.progname):
            programs.setdefault(program.progname, []).extend(program.live.values())
    found = list(_about(programs, moment.now, moment.board.black_box))
    found.sort(key=_rank)
    return found


def _about(
    programs: dict[str, list[Process]], now: float, black_box: BlackBox
) -> Iterator[Finding]:
    for progname, processes in programs.items():
        yield from misuse.engine_per_request(progname, processes, now)
        for use in uses(progname, processes, now, black_box):
            for rule in RULES:
                yield from rule(use)


def _rank(finding: Finding) -> tuple[Any, ...]:
    return (
        SEVERITIES.index(finding.severity),
        finding.rule,
        finding.progname,
        finding.pool_name,
        finding.site,
    )
