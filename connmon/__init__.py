"""connmon: a "top" for database connections, as the applications see them.

The parts: ``model`` (what is true), ``wire`` (how it is said), ``client`` (inside the
application), ``daemon`` (on a node), ``console`` (on a terminal), ``config``
(connmon.cfg). Importing this package imports none of them.
"""

__version__ = "0.4.0"
