"""Tests of connmon.console."""

import tests.properties  # noqa: F401
