"""When and where stages run: Prefect around DVC's own graph. Nothing here lists the stages; dvc.yaml does."""

import os
from pathlib import Path

import stages  # noqa: F401  # Ctrl-C during the imports that follow is a line
from stages.common.surroundings import have_a_home, may_write, own_folder, reach_this_machine_directly

# Before Prefect is imported, which reads its settings then.
reach_this_machine_directly()
have_a_home()
if not may_write(Path.home() / ".prefect"):  # where it keeps its database
    os.environ.setdefault("PREFECT_HOME", str(own_folder() / "prefect"))
# Neither Prefect nor the server that it may start tells anyone of its use.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
