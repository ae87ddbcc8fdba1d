"""The pipeline's stages, one module each, in the order of `dvc.yaml`."""

import os

# How long torch's threads spin before they sleep. Their default is for ever, so beside any other busy
# process a training on all cores falls to a fraction of its speed; alone, this costs nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
