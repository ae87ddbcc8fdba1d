"""When and where stages run: Prefect around DVC's own graph. Nothing here lists the stages; dvc.yaml does."""

import os
from pathlib import Path

import stages  # noqa: F401  # Ctrl-C during the imports that follow is a line
from stages.common.surroundings import have_a_home, may_write, own_folder, reach_this_machine_directly

# Before Prefect is imported, since it reads its settings then.
reach_this_machine_directly()
have_a_home()
if not may_write(Path.home() / ".prefect"):  # Prefect keeps its database there
    os.environ.setdefault("PREFECT_HOME", str(own_folder() / "prefect"))
# No telemetry, neither from Prefect nor from a server that it may start.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
