"""Tests of connmon.client."""

import tests.properties  # noqa: F401
