"""The part that lives inside a monitored application."""
