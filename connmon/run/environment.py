"""The environment in which every engine of a tree of processes is watched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from connmon.address import AnyAddress
from connmon.client import options

STARTUP = str(Path(options.__file__).with_name("startup"))
"""The directory with what every Python is to run at its start."""

_PATH = "PYTHONPATH"


def watched(environ: Mapping[str, str], address: AnyAddress) -> dict[str, str]:
    """This environment, but so that all report to the node at ``address``.

    What would keep them from it, ``CONNMON_DISABLE``, is left out: to be watched is
    what the command was run for.
    """
    made = {name: value for name, value in environ.items() if name != options.DISABLE}
    made[options.TREE] = str(address)
    path = environ.get(_PATH, "")
    entries = path.split(os.pathsep) if path else []
    made[_PATH] = os.pathsep.join([STARTUP, *(e for e in entries if e != STARTUP)])
    return made
