"""What connmon costs an application, measured beside its rivals; see README.rst."""
