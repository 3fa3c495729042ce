"""connmon: a "top" for database connections, as the applications see them.

The parts: ``model`` (what is true), ``wire`` (how it is said), ``client`` (inside the
application), ``daemon`` (on a node), ``console`` (on a terminal), ``config``
(connmon.cfg). Importing this package imports none of them.

For applications there are three functions, each imported when it is first asked for:
``connmon.attach(engine)``, ``connmon.status()`` and ``connmon.tag(name)``.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.4.0"


def __getattr__(name: str) -> Any:
    """What applications call, when they first do."""
    from importlib import import_module

    if name == "attach":
        return import_module("connmon.attach")
    if name == "status":
        return import_module("connmon.client.status").status
    if name == "tag":
        return import_module("connmon.client.tags").tag
    raise AttributeError(f"module 'connmon' has no attribute {name!r}")
