"""The command that is run: how it starts, what it is told, how it ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from connmon.errors import ConnmonError

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What is passed on to the command."""

OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
"""What a terminal sends to all that runs in its foreground, and so to both of us."""

NOT_FOUND = 127
NOT_RUNNABLE = 126


class NotStarted(ConnmonError):
    """The command could not be started; ``status`` is what a shell would end with."""

    def __init__(self, text: str, status: int) -> None:
        """Why, in one line."""
        super().__init__(text)
        self.status = status


class Child:
    """One command, with our own standard files, in our own group of processes."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Know what to start."""
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        #: Signals that came before it was started.
        self._early: list[int] = []

    def start(self, ended: Callable[[int], None]) -> None:
        """Start it, and have ``ended`` called with its exit status once it has.

        That is called in a thread of its own. Raises ``NotStarted``.
        """
        try:
            # Descriptors of ours are closed by exec; what we were given, it is given.
            process = subprocess.Popen(
                self._command, env=self._environ, close_fds=False
            )
        except (OSError, ValueError) as error:
            raise _not_started(self._command[0], error) from None
        self._process = process
        for each in self._early:
            process.send_signal(each)
        threading.Thread(target=_wait, args=(process, ended), daemon=True).start()

    def hear_signals(self) -> None:
        """From now on, let it decide what a signal means. The main thread.

        What the terminal sends, it has from there. Where there is no terminal, that too
        was meant for both, and was sent to us alone.
        """
        for each in PASSED_ON:
            _hear(each, self._pass_on)
        for each in OF_THE_TERMINAL:
            _hear(each, _leave_it if _has_terminal() else self._pass_on)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _wait(process: subprocess.Popen[bytes], ended: Callable[[int], None]) -> None:
    """Wait for the end of a process; its status as a shell has it."""
    # Signals are for the main thread, which must not sleep on.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    status = process.wait()
    ended(status if status >= 0 else 128 - status)


def _hear(number: int, handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle a signal, unless whoever started us wants it ignored."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


def _leave_it(number: int, frame: FrameType | None) -> None:
    """The command has been told, and ends, or does not."""


def _has_terminal() -> bool:
    """Whether a terminal controls us."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _not_started(name: str, error: Exception) -> NotStarted:
    """Why a command was not started, as a shell has it."""
    reason = os.strerror(getattr(error, "errno", None) or errno.EINVAL)
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    status = NOT_FOUND if missing else NOT_RUNNABLE
    return NotStarted(f"cannot run {name!r}: {reason}", status)
