"""Tests of connmon.client."""
