"""When and where stages run: Prefect around DVC's own graph. Nothing here lists the stages; dvc.yaml does."""

import os

import stages  # noqa: F401  # Ctrl-C during the imports that follow is a line

# Before Prefect is imported: neither it nor the server that it may start tells anyone of its use.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
