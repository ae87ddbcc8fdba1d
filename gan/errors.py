"""What can go wrong in learning."""


class DivergedError(Exception):
    """A loss became infinite or not a number; the message says which and where."""
