"""The tasks that Celery's workers run: they ask the web application what a server asks.

The broker is a directory, and so is what results are put in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery

from tests.hosts.webapp import told

PLACE = Path(os.environ["PLACE"])
FOLDERS = {name: PLACE / name for name in ("queue", "control", "results")}
for folder in FOLDERS.values():
    folder.mkdir(exist_ok=True)

app = Celery("tasks", broker="filesystem://", backend=f"file://{FOLDERS['results']}")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDERS["queue"]),
    "data_folder_out": str(FOLDERS["queue"]),
    "control_folder": str(FOLDERS["control"]),
    "polling_interval": 0.05,
}
app.conf.worker_prefetch_multiplier = 1


@app.task(name="asked")  # type: ignore[untyped-decorator]
def asked(path: str) -> Any:
    """Do what a request for ``path`` would."""
    return told(path).decode()
