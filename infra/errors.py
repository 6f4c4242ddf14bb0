"""The errors of commands."""


class CommandError(Exception):
    """A command can't go on. The message is for its user: it says what is wrong, and where possible what to do."""
