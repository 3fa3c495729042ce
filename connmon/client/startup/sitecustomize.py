"""Run by every Python that ``connmon run`` starts, before anything of the program's.

It watches the engines of this process, once SQLAlchemy is imported; until then nothing
of connmon is. And it runs the ``sitecustomize`` in whose place it was found, if there
is one; ``sys.path`` is as it would be. Any Python 3 may find it, though it lack connmon
or be older than connmon supports, and must run as ever.
"""

import atexit
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


class _SQLAlchemy:
    """Finds nothing, but hears that SQLAlchemy is about to be imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Begin, if it is; others find it."""
        if name == "sqlalchemy":
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _begin()


def _begin() -> None:
    """Watch the engines of this process."""
    try:
        from connmon.client.tree import begin

        begin()
    except Exception:  # a program must run without us
        return


def _end() -> None:
    """Tell what is left, as the last thing: others may return connections until now."""
    agent = sys.modules.get("connmon.client.agent")
    if agent is not None:
        agent.HERE.leave()


def _go_on() -> None:
    """Run what was to be found by our name."""
    spec = PathFinder.find_spec(__name__, sys.path)
    if spec is not None and spec.loader is not None:
        shadowed = module_from_spec(spec)
        sys.modules[__name__] = shadowed
        spec.loader.exec_module(shadowed)


_ours = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [each for each in sys.path if each != _ours]
if os.environ.get("CONNMON_RUN"):
    atexit.register(_end)
    if "sqlalchemy" in sys.modules:
        _begin()
    else:
        sys.meta_path.insert(0, _SQLAlchemy())
_go_on()
