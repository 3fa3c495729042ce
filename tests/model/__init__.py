"""Tests of connmon.model."""

import tests.properties  # noqa: F401
