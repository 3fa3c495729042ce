"""Modules that Twisted imports and hardly ever uses: loaded when somebody does.

Twisted imports ``http.cookiejar`` for a deprecated attribute of its ``compat`` module,
and that brings HTTP, e-mail and URL handling: 1.3 megabytes in every application. The
standard library's own ``LazyLoader`` puts that off until an attribute of the module is
asked for, by Twisted or by the application, which cannot tell the difference.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import LazyLoader, find_spec, module_from_spec

POSTPONED = ("http.cookiejar",)

_SAFE_SINCE = (3, 12, 3)
"""Before, two threads that first used a postponed module at once could clash."""


def postpone() -> None:
    """Postpone what is not loaded yet; the thread that makes an engine. Never raises.

    Once is enough, and more often does no harm.
    """
    if sys.version_info < _SAFE_SINCE:
        return
    for name in POSTPONED:
        if name not in sys.modules:
            try:
                _put_off(name)
            except Exception:  # then it is loaded as ever
                sys.modules.pop(name, None)


def _put_off(name: str) -> None:
    """Put a module where imports find it, to be loaded by its first use."""
    parent, _, child = name.rpartition(".")
    package = importlib.import_module(parent)
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # Without this, "from package import module" would look closer, and load it.
    setattr(package, child, module)
