"""The newest frame, what it is of, and how wide its columns have become."""

from __future__ import annotations

from dataclasses import replace

from connmon.console import columns
from connmon.console.place import Screen
from connmon.console.text import Glyphs
from connmon.views.frame import Frame


class Latest:
    """What came last of what a viewer asked for.

    Columns never get narrower while a view is open, so that nothing jumps.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        """Nothing has come; columns are measured in these signs."""
        self._glyphs = glyphs
        self._frame: Frame | None = None
        self._of: tuple[object, ...] = ()
        self._widest: dict[tuple[str, str], dict[str, int]] = {}
        #: When the frame was made, in Unix time, and came, by the reactor's clock.
        self.made_at = 0.0
        self.came_at = 0.0

    def take(self, frame: Frame, screen: Screen, made_at: float, now: float) -> None:
        """A frame came of what a screen shows."""
        self._frame, self._of = frame, _here(screen)
        self.made_at, self.came_at = made_at, now
        widths = self.widths(screen)
        needed = columns.widest(frame, screen.choices, self._glyphs, made_at)
        for name, cells in needed.items():
            widths[name] = max(cells, widths.get(name, 0))

    def drop(self) -> None:
        """There is no frame of what is asked for, whatever came before."""
        self._of = ()

    def frame(self, screen: Screen) -> Frame | None:
        """The newest one, if it is of what a screen shows."""
        return self._frame if self._of == _here(screen) else None

    def seen(self, screen: Screen) -> Frame | None:
        """The same; or else the newest of whatever view, for its head alone."""
        frame = self._frame
        if frame is None or self._of == _here(screen):
            return frame
        return replace(frame, view="", fields=(), rows=(), about="")

    def widths(self, screen: Screen) -> dict[str, int]:
        """The cells that the columns of a screen have needed, by field."""
        return self._widest.setdefault(_set(screen), {})

    def narrow(self, screen: Screen) -> None:
        """Forget them: the view is opened anew."""
        self._widest.pop(_set(screen), None)

    def columns(self, screen: Screen, width: int) -> tuple[str, ...]:
        """The fields that a screen of that width has columns for, in their order."""
        view, name = _set(screen)
        widths, scope = self.widths(screen), screen.place.scope
        return tuple(columns.visible(view, name, widths, width, scope))


def _here(screen: Screen) -> tuple[object, ...]:
    return screen.place.view, screen.place.scope


def _set(screen: Screen) -> tuple[str, str]:
    view = screen.place.view
    return view, columns.chosen(view, screen.choices)
