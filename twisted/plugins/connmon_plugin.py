"""Tells twistd that there is a ``connmon`` it can run."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

# The module is named, not imported: ``twistd --help`` reads every plugin.
connmon = ServiceMaker(
    "connmon",
    "connmon.daemon.tap",
    "A connmon node: hears applications, shows consoles their connections.",
    "connmon",
)
