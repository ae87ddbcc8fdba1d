"""One thread a process: the networks here are tiny, and threads that wait for each other cost more than they give."""

import os
import signal

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing is judged by how long it takes: a machine may be busy.
settings.register_profile("mintage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mintage")
# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
