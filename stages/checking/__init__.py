"""What `check` finds out of the source, and of this machine."""
