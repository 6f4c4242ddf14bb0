"""The errors of commands."""


class CommandError(Exception):
    """A command can't continue. The message is printed: it says what is wrong and, where possible, what to do."""
