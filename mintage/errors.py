"""What can go wrong in learning."""


class DivergedError(Exception):
    """A loss became infinite or not a number; the message says which and where."""


class CheckpointError(Exception):
    """A saved state is damaged, or of another training; the message says which file, and what to do."""
