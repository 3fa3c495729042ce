"""The viewer on a terminal, or in a pipe."""
