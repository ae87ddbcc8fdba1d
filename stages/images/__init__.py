"""From encoded images to tensors: decode, fit, split, write. Used by stages/normalize.py."""
