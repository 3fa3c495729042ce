"""Twisted's AMP, without the TLS library that it would bring.

``twisted.protocols.amp`` imports pyOpenSSL wherever that is installed, for a command of
its own that we do not use: twelve megabytes in every application, for nothing. Where
nobody has asked for AMP or OpenSSL yet, we therefore run AMP's module once more, as a
private copy in which ``from twisted.internet import ssl`` fails as it does where
pyOpenSSL is missing; AMP is made for that.

Nothing that others see is changed, not even for a moment: the copy is not in
``sys.modules``, and it alone sees its own ``__import__``. Whoever imports
``twisted.protocols.amp`` or OpenSSL before us, after us or at the same time, in any
thread, gets the real one. Where that is there already, it costs nothing more, and we
use it too.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["amp"]

_AMP = "twisted.protocols.amp"


def _loaded() -> ModuleType:
    """AMP: everybody's if it costs nothing more, else a copy without TLS."""
    if _AMP not in sys.modules and "OpenSSL" not in sys.modules:
        try:
            return _private_copy()
        except Exception:  # noqa: BLE001  whatever is special here, Twisted knows
            pass
    return importlib.import_module(_AMP)


def _private_copy() -> ModuleType:
    """AMP's module, run where nobody else sees it and without TLS."""
    spec = find_spec(_AMP)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_AMP} is not to be found")
    copy = module_from_spec(spec)
    # Python asks a module's own builtins for __import__: documented for exec().
    vars(copy)["__builtins__"] = {**vars(builtins), "__import__": _import_no_tls}
    spec.loader.exec_module(copy)
    return copy


def _import_no_tls(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002  the real one's names
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """What ``import`` does in the copy."""
    if name == "twisted.internet.ssl" or (
        name == "twisted.internet" and "ssl" in (fromlist or ())
    ):
        raise ImportError("not wanted here")
    return builtins.__import__(name, globals, locals, fromlist or (), level)


if TYPE_CHECKING:
    from twisted.protocols import amp
else:
    amp = _loaded()
