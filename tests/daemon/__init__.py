"""Tests of connmon.daemon."""

import tests.properties  # noqa: F401
