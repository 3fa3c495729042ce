"""How properties are tried, everywhere: to be imported before any of them is written.

How long an example takes says more of the machine than of the code, so none has a
deadline: what is too slow is found by ``benchmarks``.

Each run tries other examples, but with ``CONNMON_REPEATABLE`` set: then what a run
finds depends on the code alone, and is found again by running it again.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "connmon",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CONNMON_REPEATABLE")),
)
settings.load_profile("connmon")
