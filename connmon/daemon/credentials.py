"""Who connected to a UNIX socket, as the kernel knows it.

The kernel gives the process's number as it is in *our* pid namespace, 0 if it has none
there. A process in a container knows itself by another one; that stands last in the
``NSpid`` of its status, which every user may read.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STRUCT = struct.Struct("iII")

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The process that connected, by its number here, and its user and group."""

    pid: int
    uid: int
    gid: int

    def own_pid(self, proc: Path = PROC) -> int | None:
        """The number the process knows itself by; ``None`` where that cannot be told.

        It cannot be if the process is not of our pid namespace nor of one within it, if
        it is gone, or if ``proc`` is not of our namespace.
        """
        try:
            if not self.pid or os.readlink(proc / "self") != str(os.getpid()):
                return None
            status = (proc / str(self.pid) / "status").read_bytes()
            for line in status.splitlines():
                if line.startswith(b"NSpid:"):
                    return int(line.split()[-1])
        except (OSError, ValueError):
            pass
        return None


def credentials(handle: Any) -> Credentials | None:
    """Whose socket is at the other end; ``None`` where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    try:
        packed = handle.getsockopt(socket.SOL_SOCKET, option, _STRUCT.size)
    except OSError:
        return None
    return Credentials(*_STRUCT.unpack(packed))
