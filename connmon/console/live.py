"""The screen's viewer: frames, keys and the link's fate become what is drawn."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.task import LoopingCall

from connmon.config import AnyAddress
from connmon.console import screen, terminal
from connmon.console.link import Failed, Uplink
from connmon.console.options import Target
from connmon.console.screen import Effect, Screen
from connmon.console.stream import no_daemon
from connmon.console.text import Glyphs
from connmon.console.views import Shown, State, lines, page_rows, row_count
from connmon.model.summary import AnyFrame
from connmon.wire.commands import PROGRAMS


class Live:
    """One viewer at one terminal."""

    def __init__(self, target: Target, glyphs: Glyphs, view: str = PROGRAMS) -> None:
        """``join`` completes it with its terminal and uplink, which shows ``view``."""
        self._glyphs = glyphs
        self._several = len(target.addresses) > 1
        self._screen = Screen(view=view)
        #: The newest frame of each view.
        self._frames: dict[str, AnyFrame] = {}
        self._ever = False
        self._state = State.CONNECTING
        self._message = ""
        self._address = ""
        self._terminal: Any = None
        self._watch: Callable[[str], None]
        #: What to say on standard error once the terminal is given back.
        self.last_words = ""

    def join(self, drawn_on: terminal.Terminal, watch: Callable[[str], None]) -> None:
        """Know the terminal to draw on, and whom to ask for another view."""
        self._terminal = drawn_on
        self._watch = watch

    # What the uplink tells.

    def shown(self, frame: AnyFrame, address: AnyAddress) -> None:
        """A frame came: show it."""
        self._frames[self._screen.view] = frame
        self._ever = True
        self._state = State.LIVE
        self._message = ""
        self._address = str(address)
        self.draw()

    def lost(self, failed: Failed) -> None:
        """The node is gone: its figures stay, marked as stale."""
        then = "trying the others" if self._several else "trying it again"
        self._state = State.LOST
        self._message = f"lost {failed}; {then}"
        self.draw()

    def exhausted(self, tried: tuple[Failed, ...]) -> bool:
        """No node at all: at the start that ends the program, later it is shown."""
        if not self._ever:
            self.last_words = no_daemon(tried)
            self._terminal.stop(1)
            return False
        self._message = f"{no_daemon(tried)}; trying on"
        self.draw()
        return True

    # What the terminal tells.

    def pressed(self, key: str) -> None:
        """A key was pressed."""
        _, height = self._terminal.size
        shown = self._shown()
        rows, page = row_count(shown.frame), page_rows(shown, height)
        self._screen, effect = screen.press(self._screen, key, rows, page)
        if effect is Effect.QUIT:
            self._terminal.stop(0)
        elif effect is Effect.REDRAW:
            self._terminal.redraw()
        else:
            if self._screen.view != shown.view:
                self._switch()
            self.draw()

    def _switch(self) -> None:
        """Another view was chosen: ask for it.

        What was seen of it earlier is old, and would be shown as live; when the node
        is lost it is shown as that, and there is nothing newer.
        """
        if self._state is not State.LOST:
            self._frames.pop(self._screen.view, None)
        self._watch(self._screen.view)

    def resized(self, width: int, height: int) -> None:
        """The terminal's size is known, or another."""
        self._terminal.draw(lines(self._shown(), width, height))

    def draw(self) -> None:
        """Draw what is known now."""
        self.resized(*self._terminal.size)

    def _shown(self) -> Shown:
        view = self._screen.view
        frame = self._frames.get(view)
        waiting = self._state is State.LIVE and frame is None
        return Shown(
            frame,
            State.CONNECTING if waiting else self._state,
            self._message,
            self._address,
            time.strftime("%H:%M:%S"),
            self._screen.offset,
            self._glyphs,
            view,
        )


def run(
    reactor: Any,
    target: Target,
    delay: float,
    environ: dict[str, str],
    view: str = PROGRAMS,
    **for_tests: Any,
) -> int:
    """Show the screen, at first ``view``, until it is left; the exit status.

    Further arguments are those that the terminal takes for tests.
    """
    status = 0

    def leave(with_status: int) -> None:
        nonlocal status
        status = with_status
        uplink.stop()
        if ticking.running:
            ticking.stop()
        if reactor.running:
            reactor.stop()

    live = Live(target, terminal.glyphs(environ), view)
    uplink = Uplink(reactor, live, target, delay, Random(), view=view)
    drawn_on = terminal.Terminal(
        reactor,
        terminal.painter(environ),
        on_key=live.pressed,
        on_resize=live.resized,
        on_exit=leave,
        **for_tests,
    )
    live.join(drawn_on, uplink.watch)
    drawn_on.start()
    reactor.callWhenRunning(uplink.start)
    # The clock goes on also while no frame comes.
    ticking = LoopingCall(live.draw)
    ticking.clock = reactor
    reactor.callWhenRunning(ticking.start, 1.0)
    reactor.run()
    if live.last_words:
        print(f"connmon: {live.last_words}", file=sys.stderr)
    return status
