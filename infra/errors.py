"""The errors of commands."""


class CommandError(Exception):
    """A command can't continue. It prints the message, which says what is wrong and, where possible, what to do."""
