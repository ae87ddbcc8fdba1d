"""Figures that compare generated images with real ones, on features `[N, F]` or labels `[N]`."""
