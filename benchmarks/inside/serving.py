"""The measured process's end of ``benchmarks.process.Worker``: orders and answers."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Orders = Mapping[str, Callable[..., Any]]


class _Complaints(logging.Handler):
    """Keeps what connmon warns of: then it did not do what is being measured."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def serve(orders: Orders) -> None:
    """Do what standard input orders, until it ends; answer each on standard output.

    An order is ``[name, arguments]``, an answer ``[error, value]``. Whatever else is
    printed goes to standard error.
    """
    complaints = _Complaints()
    logging.getLogger("connmon").addHandler(complaints)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            error, value = "", orders[name](**arguments)
        except Exception as failure:  # noqa: BLE001  told to whoever ordered it
            error, value = f"{type(failure).__name__}: {failure}", None
        if complaints.texts:
            error = f"connmon warned: {complaints.texts[0]}"
        print(json.dumps([error, value]), file=answers)
