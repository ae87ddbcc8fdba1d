"""One thread a process: the networks here are tiny, and threads that wait for each other cost more than they give."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
