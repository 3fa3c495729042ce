"""The terminal on a reactor: taken over, read, drawn on, given back on every way out.

Three ways lead out of the screen: ``stop``, which keys, signals and a lost terminal
come to; the reactor's shutdown; and the interpreter's end. Each passes ``restore``,
which does its work once and never waits for longer than a second.

The file is opened anew rather than borrowed from standard input: non-blocking mode
belongs to the open file, and the shell would be left with it after a ``kill -9``.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import IO, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.fdesc import readFromFD, writeToFD
from twisted.internet.interfaces import IPullProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connmon.console.ansi import Depth, Painter
from connmon.console.keys import Keyboard
from connmon.console.text import ASCII, UNICODE, Glyphs, Line, clean
from connmon.errors import ConfigError

ESC_PAUSE = 0.05
"""Seconds after which a lone Esc byte is the key of that name."""

_FOREGROUND_PAUSE = 0.5
_RESTORE_LIMIT = 1.0
_FALLBACK_SIZE = (80, 24)
_REPLAY_LIMIT = 65536

HANGUP_STATUS = 129
FAILURE_STATUS = 1
_STATUS = {
    signal.SIGINT: 0,
    signal.SIGTERM: 143,
    signal.SIGHUP: HANGUP_STATUS,
    signal.SIGQUIT: 131,
}
_SIGNALS = (*_STATUS, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)


def interactive(
    environ: Mapping[str, str], stdin_isatty: bool, stdout_isatty: bool
) -> bool:
    """Say whether there is a terminal that a screen can be drawn on."""
    return (
        stdin_isatty and stdout_isatty and environ.get("TERM", "") not in ("", "dumb")
    )


_THEMES = {"many": Depth.MANY, "sixteen": Depth.SIXTEEN, "mono": Depth.MONO}


def depth(
    environ: Mapping[str, str], theme: str = "auto", color: str = "auto"
) -> Depth:
    """Choose the colours: as ``--color`` says, then NO_COLOR, then the theme.

    With ``auto`` for all three it is what the terminal's name promises.
    """
    if color == "never" or (color == "auto" and environ.get("NO_COLOR")):
        return Depth.MONO
    if theme in _THEMES:
        return _THEMES[theme]
    term = environ.get("TERM", "")
    if environ.get("COLORTERM") or "256color" in term or "direct" in term:
        return Depth.MANY
    return Depth.MONO if term.startswith("vt") and color == "auto" else Depth.SIXTEEN


def glyphs(environ: Mapping[str, str]) -> Glyphs:
    """Choose the signs: ASCII alone on the Linux console, or if the locale says so."""
    locale = next(
        (environ[k] for k in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(k)), ""
    )
    utf8 = "utf8" in locale.lower().replace("-", "")
    return UNICODE if utf8 and environ.get("TERM") != "linux" else ASCII


def painter(
    environ: Mapping[str, str], theme: str = "auto", color: str = "auto"
) -> Painter:
    """Return the painter for the terminal that the environment describes."""
    chosen = depth(environ, theme, color)
    return Painter(chosen, glyphs(environ), environ.get("TERM") != "linux")


def open_tty() -> int:
    """Open the terminal this process was started on; a ConfigError if there is none.

    After ``su`` or ``setsid`` neither name may be open to us; the inherited file then
    has to serve.
    """
    ways: list[Callable[[], int]] = [
        lambda: _opened("/dev/tty"),
        lambda: _opened(os.ttyname(0)),
        _inherited,
    ]
    if sys.platform == "darwin":  # where /dev/tty cannot be polled
        del ways[0]
    for way in ways:
        with contextlib.suppress(OSError):
            return way()
    raise ConfigError("no terminal can be opened: use --batch, --json or --csv")


def _inherited() -> int:
    if not os.isatty(0):
        raise OSError("standard input is no terminal")
    return os.dup(0)


def _opened(name: str) -> int:
    return os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


class Process:
    """What a screen changes in its own process: signals and standard error."""

    def __init__(self) -> None:
        """Change nothing yet."""
        self._before: dict[int, Any] = {}
        self._stderr = -1
        self._errors: IO[bytes] | None = None

    def listen(self, heard: Callable[[int], None]) -> None:
        """Call ``heard`` with the number of each signal, from inside its handler."""

        def handler(number: int, frame: FrameType | None) -> None:
            heard(number)

        for number in _SIGNALS:
            before = signal.signal(number, handler)
            self._before[number] = signal.SIG_DFL if before is None else before

    def ignore(self) -> None:
        """Leave signals to whoever had them before."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def sleep(self) -> None:
        """Stop as ^Z stops any process; return when continued.

        The kernel does not stop an orphaned process group: then it returns at once.
        """
        numbers = (signal.SIGTSTP, signal.SIGCONT)
        ours = {n: signal.signal(n, signal.SIG_DFL) for n in numbers}
        # To this thread, so that it does not run on while another one is being stopped.
        signal.raise_signal(signal.SIGTSTP)
        for number, handler in ours.items():
            signal.signal(number, handler)

    def capture(self) -> None:
        """Keep standard error, if it is a terminal, off the screen."""
        if self._errors is None and os.isatty(2):
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 closed by release
            self._stderr = os.dup(2)
            os.dup2(self._errors.fileno(), 2)

    def release(self) -> str:
        """End the capture and return what was written, its tail if that is long."""
        if self._errors is None:
            return ""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        os.dup2(self._stderr, 2)
        os.close(self._stderr)
        with self._errors as errors:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _REPLAY_LIMIT))
            text = errors.read().decode("utf-8", "replace")
        self._errors = None
        lines = text.replace("\t", " ").splitlines()
        return "".join(clean(line, len(line)) + "\n" for line in lines)


class _Tty(FileDescriptor):
    """One stay on the terminal; what it has not written when it ends is thrown away."""

    def __init__(
        self,
        reactor: Any,
        fd: int,
        received: Callable[[bytes], None],
        lost: Callable[[Failure], None],
    ) -> None:
        super().__init__(reactor)
        self._fd = fd
        self._received = received
        self._lost = lost
        self.connected = 1

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> Any:
        if self.connected:
            return readFromFD(self._fd, self._received)
        return None

    def doWrite(self) -> Any:
        # Reading may have ended the stay within the same turn of the reactor.
        return super().doWrite() if self.connected else None

    def writeSomeData(self, data: bytes) -> Any:
        return writeToFD(self._fd, data)

    def connectionLost(self, reason: Failure) -> None:
        if self.connected:
            super().connectionLost(reason)
            self._lost(reason)

    def discard(self) -> None:
        """End the stay without a word to anybody."""
        self.stopReading()
        self.stopWriting()
        self.unregisterProducer()
        self.connected = 0


@implementer(IPullProducer)
class Terminal:
    """The screen of one terminal, from ``start`` to ``stop``, ^Z and fg included.

    ``on_resize(width, height)`` tells the size, at the start, after a change and on
    coming back; it must ``draw``. ``on_key(name)`` tells each key. ``on_exit(status)``
    is called once, after the terminal has been restored, with the process's exit
    status. An exception from the first two ends the screen with status 1.

    A frame is handed to the terminal only when the one before has been written, and
    then the newest: a stalled terminal costs one frame of memory.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        painter: Painter,
        *,
        on_key: Callable[[str], None],
        on_resize: Callable[[int, int], None],
        on_exit: Callable[[int], None],
        open_tty: Callable[[], int] = open_tty,
        process: Process | None = None,
    ) -> None:
        """Touch nothing yet; the last two arguments are for tests."""
        self._reactor = reactor
        self._painter = painter
        self._on_key = on_key
        self._on_resize = on_resize
        self._on_exit = on_exit
        self._open_tty = open_tty
        self._process = process or Process()
        self._fd = -1
        self._tty: _Tty | None = None  # while the screen is ours
        self._saved: list[Any] | None = None
        self._keyboard = Keyboard()
        self._timers: dict[str, Any] = {}
        self._next: Sequence[Line] | None = None
        self._idle = False
        self._stopped = False
        self.size = _FALLBACK_SIZE

    def start(self) -> None:
        """Open the terminal, and take it over as soon as the reactor runs.

        Not before: the reactor would put its own signal handlers over ours. Raises
        ConfigError if there is no terminal.
        """
        self._fd = self._open_tty()
        atexit.register(self.restore)
        # Before, not during: by then the reactor has disconnected all it knows.
        self._reactor.addSystemEventTrigger("before", "shutdown", self.restore)
        self._reactor.callWhenRunning(self._begin)

    def draw(self, lines: Sequence[Line]) -> None:
        """Show ``lines``, laid out for ``size``, as soon as the terminal takes them."""
        if self._tty is None or self._resized():
            return
        self._next = lines
        if self._idle:
            self.resumeProducing()

    def redraw(self) -> None:
        """Have everything drawn anew, as another program may have written over it."""
        self._painter.forget()
        self._call(self._on_resize, *self.size)

    def repaint(self, painter: Painter) -> None:
        """Have everything drawn anew, by another painter."""
        self._painter = painter
        self.redraw()

    def stop(self, status: int) -> None:
        """Give the terminal back, then tell ``status``; only the first call counts."""
        if not self._stopped:
            self._stopped = True
            self.restore()
            self._on_exit(status)

    def restore(self) -> None:
        """Give the terminal back as it was found. Bounded in time, and done once."""
        self._stopped = True
        if self._fd < 0:
            return
        self._leave()
        self._process.ignore()
        atexit.unregister(self.restore)
        os.close(self._fd)
        self._fd = -1

    # The reactor's side.

    def resumeProducing(self) -> None:
        """Write the newest frame: all before it has been written."""
        self._call(self._write_newest)

    def stopProducing(self) -> None:
        """The terminal is lost; ``_lost`` sees to it."""

    def _write_newest(self) -> None:
        lines, self._next = self._next, None
        drawn = b"" if lines is None else self._painter.paint(lines, *self.size)
        self._idle = not drawn
        if drawn and self._tty is not None:
            self._tty.write(drawn)

    def _begin(self) -> None:
        if self._fd >= 0:
            self._process.listen(self._signalled)
            self._enter()

    def _signalled(self, number: int) -> None:
        self._reactor.callFromThread(self._heard, number)

    def _heard(self, number: int) -> None:
        if self._fd < 0:
            return
        if number == signal.SIGWINCH:
            # Even if the size is the same again: a window that was small for a moment
            # has lost what was in it.
            if self._tty is not None:
                self.size = self._measured()
                self.redraw()
        elif number == signal.SIGTSTP:
            self._sleep()
        elif number == signal.SIGCONT:  # after SIGSTOP, which nobody could prepare for
            self._leave()
            self._enter()
        else:
            self.stop(_STATUS[signal.Signals(number)])

    def _sleep(self) -> None:
        self._leave()
        self._saved = None  # the shell may change it meanwhile
        self._process.sleep()
        self._enter()

    def _received(self, data: bytes) -> None:
        self._cancel("esc")
        self._pressed(self._keyboard.feed(data))
        if self._tty is not None and self._keyboard.waiting:
            self._later("esc", ESC_PAUSE, self._paused)

    def _paused(self) -> None:
        self._pressed(self._keyboard.timeout())

    def _pressed(self, keys: list[str]) -> None:
        for key in keys:
            if self._tty is not None:
                self._call(self._on_key, key)

    def _lost(self, reason: Failure) -> None:
        gone = reason.check(ConnectionDone, ConnectionLost)
        self.stop(HANGUP_STATUS if gone else FAILURE_STATUS)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:  # noqa: BLE001 whatever it was, the terminal is given back
            self._log.failure("the screen ends by an error of its own")
            self.stop(FAILURE_STATUS)

    def _later(self, name: str, delay: float, function: Callable[[], None]) -> None:
        self._timers[name] = self._reactor.callLater(delay, function)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None and timer.active():
            timer.cancel()

    # The terminal's side.

    def _enter(self) -> None:
        """Take the screen, or wait without a sound until we are in the foreground."""
        self._cancel("foreground")
        if not self._foreground():
            self._later("foreground", _FOREGROUND_PAUSE, self._enter)
            return
        try:
            if self._saved is None:
                self._saved = termios.tcgetattr(self._fd)
            termios.tcsetattr(self._fd, termios.TCSANOW, _raw(self._saved, self._fd))
        except (OSError, termios.error):
            self.stop(HANGUP_STATUS)
            return
        os.set_blocking(self._fd, False)
        self._process.capture()
        self._tty = _Tty(self._reactor, self._fd, self._received, self._lost)
        self._tty.write(self._painter.enter())
        self._tty.startReading()
        self._idle = False
        self.size = self._measured()
        self._call(self._on_resize, *self.size)
        if self._tty is not None:
            producer: Any = self  # whose interface is declared by a decorator
            self._tty.registerProducer(producer, False)

    def _leave(self) -> None:
        """Give the screen back for now, whatever state the terminal is in."""
        self._cancel("foreground")
        self._cancel("esc")
        if self._tty is None:
            return
        self._tty.discard()
        self._tty = None
        self._next = None
        self._keyboard = Keyboard()
        deadline = time.monotonic() + _RESTORE_LIMIT
        goodbye = self._painter.leave()
        errors = self._process.release().encode()
        with _unstoppable():
            with contextlib.suppress(OSError, termios.error):
                if not _write(self._fd, goodbye, deadline):
                    termios.tcflush(self._fd, termios.TCOFLUSH)
                    os.write(self._fd, goodbye)
            with contextlib.suppress(OSError, termios.error):
                # In the background the modes are the shell's, which is at work.
                if self._saved is not None and self._foreground():
                    termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)
                _write(self._fd, errors, deadline)
            with contextlib.suppress(OSError):
                os.set_blocking(self._fd, True)

    def _foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # not our controlling terminal: nobody else uses it for jobs
            return True

    def _resized(self) -> bool:
        """Ask for the size, as not every terminal tells; true if it has changed."""
        if self._tty is None or self._measured() == self.size:
            return False
        self.size = self._measured()
        self._call(self._on_resize, *self.size)
        return True

    def _measured(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._fd)
        except OSError:
            return _FALLBACK_SIZE
        return columns or _FALLBACK_SIZE[0], rows or _FALLBACK_SIZE[1]


def _raw(modes: list[Any], fd: int) -> list[Any]:
    """Return modes for reading key by key; ^C and ^Z stay signals, for children too."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, controls = modes
    iflag &= ~(termios.IXON | termios.ICRNL | termios.INLCR | termios.IGNCR)
    iflag &= ~termios.ISTRIP
    lflag &= ~(termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN)
    controls = list(controls)
    controls[termios.VMIN] = 1
    controls[termios.VTIME] = 0
    controls[termios.VQUIT] = bytes([os.fpathconf(fd, "PC_VDISABLE")])
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, controls]


@contextlib.contextmanager
def _unstoppable() -> Iterator[None]:
    """Keep the kernel from stopping us for writing to the terminal from behind."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _write(fd: int, data: bytes, deadline: float) -> bool:
    """Write ``data`` as far as the terminal takes it; true if it took it in time."""
    while data:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([], [fd], [], left)[1]:
            return False
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(fd, data) :]
    return True
