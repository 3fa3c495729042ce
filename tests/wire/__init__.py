"""Tests of connmon.wire."""

import tests.properties  # noqa: F401
