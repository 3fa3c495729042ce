"""How properties are tried, everywhere: to be imported before any of them is written.

How long an example takes says more of the machine than of the code, so none has a
deadline: what is too slow is found by ``benchmarks``.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "connmon", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("connmon")
