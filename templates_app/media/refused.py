"""What the library says no to."""


class Refused(Exception):
    """What was asked for cannot be done; the text says why, and what to do about it."""
