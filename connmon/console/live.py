"""The screen's viewer: frames, keys and the link's fate become what is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connmon.config import AnyAddress
from connmon.console import clock, keys, preferences, screen, search, snapshot
from connmon.console.cursor import moved, put, settled
from connmon.console.freshness import Freshness, no_daemon
from connmon.console.holders import Whose
from connmon.console.interest import Interest
from connmon.console.latest import Latest
from connmon.console.link import Failed
from connmon.console.logbook import Logbook
from connmon.console.place import Mode, Place, Screen
from connmon.console.player import Player, moment
from connmon.console.pressing import Do, Effect, Sight, noticed
from connmon.console.source import Source
from connmon.console.terminal import Terminal, painter
from connmon.console.text import Glyphs
from connmon.console.views import Shown, State, lines, page_rows, text_rows
from connmon.console.whereabouts import Whereabouts
from connmon.errors import ConnmonError
from connmon.views.frame import Frame


class Live:
    """One viewer at one terminal."""

    def __init__(
        self,
        reactor: Any,
        begin: Screen,
        glyphs: Glyphs,
        logbook: Logbook,
        environ: Mapping[str, str],
        *,
        color: str = "auto",
        now: Callable[[], float] = time.time,
    ) -> None:
        """``join`` completes it. ``now`` tells Unix time."""
        self._reactor = reactor
        self._screen = begin
        self._glyphs = glyphs
        self._logbook = logbook
        self._environ = environ
        self._color = color
        self._now = now
        self._terminal: Terminal
        self._source: Source
        self._interest: Interest
        self._player: Player | None = None
        self._freshness = Freshness()
        self._latest = Latest(glyphs)
        self._whereabouts = Whereabouts(
            glyphs, lambda: clock.told(self._now()), self.draw
        )
        #: What to say on standard error once the terminal is given back.
        self.last_words = ""

    def join(
        self, drawn_on: Terminal, source: Source, player: Player | None = None
    ) -> None:
        """Know where to draw, whom to ask, and who plays, if a recording is shown."""
        self._terminal = drawn_on
        self._source = source
        self._interest = Interest(self._reactor, source, self._rested)
        self._player = player
        self._freshness = Freshness(replay=player is not None)

    def stop(self) -> None:
        """Leave nothing behind that waits."""
        self._interest.stop()
        self._whereabouts.stop()

    # What the source tells.

    def shown(
        self, frames: tuple[Frame, ...], number: int, origin: str, at: float
    ) -> None:
        """A frame came: show it, unless it answers what nobody asks any more."""
        if self._freshness.came(origin):
            self._logbook.note(self._freshness.said)
        frame = frames[0]
        if self._interest.wanted(number) and frame.view == self._screen.place.view:
            self._take(frame, number, at)
            if self._interest.found(number):
                self._found(frame)
            self._ask()
        self.draw()

    def _take(self, frame: Frame, number: int, at: float) -> None:
        """A frame is the one to be seen from now on."""
        self._freshness.taken()
        self._latest.take(frame, self._screen, at, self._reactor.seconds())
        anchor = self._interest.taken(number, frozen=self._frozen())
        if self._screen.mode is not Mode.WHOLE:  # that is of one row, or of none
            self._put(settled(self._screen.place, frame, self._page(), anchor))

    def _found(self, frame: Frame) -> None:
        """What was searched for was found, or not."""
        if frame.found and frame.selected is not None:
            self._put(put(self._screen.place, frame, self._page(), frame.selected))
        else:
            self._notice("not found", error=True)

    def refused(self, reason: str, number: int) -> None:
        """The node does not understand what is asked for: nothing is shown then."""
        self._logbook.note(reason)
        self._notice(reason, error=True)
        if self._interest.refused(number):
            self._freshness.refused(reason)
            self._latest.drop()
        self.draw()

    def warned(self, text: str) -> None:
        """Something is to be known, such as what a recording lacks."""
        self.noted(text)

    def noted(self, text: str) -> None:
        """Something else failed, such as a recording that ends."""
        self._logbook.note(text)
        self._notice(text, error=True)
        self.draw()

    def lost(self, failed: Failed) -> None:
        """The node is gone: its figures stay, marked as stale."""
        self._freshness.lost(failed)
        self._logbook.note(self._freshness.said)
        self.draw()

    def trying(self, address: AnyAddress, wait: float) -> None:
        """What is tried next."""
        self._freshness.trying(address, wait)
        self.draw()

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """No node at all: at the start that ends the program, later it is shown."""
        if not self._freshness.origin:
            self.last_words = no_daemon(tried)
            self._terminal.stop(1)
            return False
        before = self._freshness.said
        self._freshness.exhausted(tried)
        if self._freshness.said != before:
            self._logbook.note(self._freshness.said)
        self.draw()
        return True

    # What the terminal tells.

    def pressed(self, key: str) -> None:
        """A key was pressed."""
        before = self._screen
        self._screen, effect = screen.press(before, key, self._sight())
        if before.place.view != self._screen.place.view:
            self._latest.narrow(self._screen)
        if self._player is not None and before.paused != self._screen.paused:
            (self._player.pause if self._screen.paused else self._player.resume)()
        self._follow(effect)
        self._ask()
        self.draw()

    def resized(self, width: int, height: int) -> None:
        """The terminal's size is known, or another."""
        self._ask()
        self._terminal.draw(lines(self._shown(), width, height))

    def draw(self) -> None:
        """Draw what is known now."""
        self._terminal.draw(lines(self._shown(), *self._terminal.size))

    # What follows from a key.

    def _follow(self, effect: Effect) -> None:
        """Do what a key asks for besides."""
        rule = self._EFFECTS.get(effect.do)
        if rule is not None:
            try:
                rule(self, effect)
            except ConnmonError as error:
                self._notice(str(error), error=True)

    def _quit(self, effect: Effect) -> None:
        self._terminal.stop(0)

    def _redraw(self, effect: Effect) -> None:
        theme = self._screen.choices.theme
        self._terminal.repaint(painter(self._environ, theme, self._color))

    def _find(self, effect: Effect) -> None:
        """Go to the next row that matches: one that is here, or one the node knows."""
        frame, page, place = self._current(), self._page(), self._screen.place
        frozen = self._frozen()
        found = search.found(place, frame, page, effect.text, partly=frozen)
        if frame is not None and found is not None:
            self._put(put(place, frame, page, found))
        elif frozen:
            self._notice("not found", error=True)
        else:
            if frame is not None and place.selected is None:
                # So the window stays where it is, even if nothing is found.
                place = moved(place, frame, page, 0)
            begin = self._screen.at(place)
            self._interest.find(begin, page, effect.text, effect.step)

    def _save(self, effect: Effect) -> None:
        drawn = lines(self._shown(), *self._terminal.size)
        self._notice(f"saved to {snapshot.save(drawn, effect.text)}")

    def _keep(self, effect: Effect) -> None:
        path = preferences.save(self._screen.choices, self._environ)
        self._notice(f"choices kept in {path}")

    def _stack(self, effect: Effect) -> None:
        whose = Whose(process=effect.text, connection=effect.step)
        self._whereabouts.ask(self._source, whose)

    def _step(self, effect: Effect) -> None:
        if self._player is not None:
            self._screen = replace(self._screen, paused=True)
            self._player.step(effect.step)

    def _speed(self, effect: Effect) -> None:
        if self._player is not None:
            (self._player.faster if effect.step > 0 else self._player.slower)()

    def _jump(self, effect: Effect) -> None:
        if self._player is not None:
            first, last = self._player.span
            self._player.jump(moment(effect.text, first, last))

    _EFFECTS: Mapping[Do, Callable[[Live, Effect], None]] = {
        Do.QUIT: _quit,
        Do.REDRAW: _redraw,
        Do.FIND: _find,
        Do.SAVE: _save,
        Do.KEEP: _keep,
        Do.STACK: _stack,
        Do.STEP: _step,
        Do.SPEED: _speed,
        Do.JUMP: _jump,
    }

    # What they share.

    def _ask(self) -> None:
        """Ask for what the screen needs."""
        page, frame = self._page(), self._current()
        self._interest.ask(self._screen, page, frame, frozen=self._frozen())

    def _rested(self) -> None:
        if not self._frozen():
            self._interest.rest(self._screen, self._page())

    def _frozen(self) -> bool:
        """Whether the figures stand still; those of a recording stop by themselves."""
        return self._screen.paused and self._player is None

    def _shown(self) -> Shown:
        frame, replay = self._latest.seen(self._screen), self._player is not None
        now = self._latest.made_at if replay else self._now()
        log = self._logbook.lines() if self._screen.mode is Mode.LOG else ()
        if self._screen.mode is Mode.STACK:
            log = self._whereabouts.lines
        age = self._reactor.seconds() - self._latest.came_at
        return Shown(
            screen=self._screen,
            frame=frame,
            state=self._state(),
            message=self._playing() or self._freshness.message,
            address=self._freshness.origin,
            clock=clock.told(now, clock.DATE_AND_TIME if replay else clock.TIME),
            age=None if replay or frame is None else age,
            time=self._latest.made_at,
            glyphs=self._glyphs,
            widest=self._latest.widths(self._screen),
            log=log,
            footer=keys.footer(replay),
            help=keys.help_sections(replay),
        )

    def _state(self) -> State:
        state = self._freshness.state
        return State.PAUSED if state is State.LIVE and self._frozen() else state

    def _playing(self) -> str:
        """Which picture of a recording is shown, and how it goes on."""
        if self._player is None:
            return ""
        index, count, _ = self._player.position
        said = [f"picture {index + 1} of {count}"]
        if self._player.paused:
            said.append("paused")
        if self._player.speed != 1:
            said.append(f"{self._player.speed:g} times as fast as it was")
        return ", ".join(said)

    def _notice(self, text: str, *, error: bool = False) -> None:
        self._screen = noticed(self._screen, text, error=error)

    def _put(self, place: Place) -> None:
        self._screen = self._screen.at(place)

    def _current(self) -> Frame | None:
        """The newest frame, if it is of what is shown now."""
        return self._latest.frame(self._screen)

    def _page(self) -> int:
        return page_rows(self._shown(), *self._terminal.size)

    def _sight(self) -> Sight:
        width, height = self._terminal.size
        shown = self._shown()
        page = page_rows(shown, width, height)
        return Sight(
            frame=self._current(),
            page=page,
            columns=self._latest.columns(self._screen, width),
            lines=max(0, text_rows(shown, width) - page),
            replay=self._player is not None,
            now=clock.told(self._now(), "%Y%m%d-%H%M%S"),
        )
