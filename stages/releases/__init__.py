"""Releases that others can verify, load and take back: what they are, and the channels that point to them."""
