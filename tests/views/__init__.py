"""Tests of connmon.views."""

import tests.properties  # noqa: F401
