"""Tests of connmon.views."""
