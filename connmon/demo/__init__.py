"""A small fleet on one machine, to see connmon at work without setting anything up."""
