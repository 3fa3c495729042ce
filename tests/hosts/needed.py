"""What a host's test needs of the machine, and what becomes of it without."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec

from twisted.trial.unittest import SkipTest

REQUIRE = "CONNMON_REQUIRE_HOSTS"


def require(*modules: str, environ: Mapping[str, str] = os.environ) -> None:
    """Skip the test that needs top-level modules which are not installed here.

    Where the environment says CONNMON_REQUIRE_HOSTS=1, as `make hosts` does, fail it
    instead. The modules are looked for and not imported: some of them patch or install
    things in the process they are imported into.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        lacking(f"not installed here: {', '.join(missing)}", environ)


def lacking(what: str, environ: Mapping[str, str] = os.environ) -> None:
    """Skip the test for this reason, or fail it where hosts are required."""
    if environ.get(REQUIRE) == "1":
        raise AssertionError(f"{what}; {REQUIRE}=1 wants it tested")
    raise SkipTest(f"{what}; `make hosts` has what all hosts' tests need")
