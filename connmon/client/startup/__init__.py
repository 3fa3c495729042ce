"""A directory to be put first on PYTHONPATH: Python runs its ``sitecustomize``."""
