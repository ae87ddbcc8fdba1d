"""Releases, which others can verify, load and roll back, and the channels that point to them."""
