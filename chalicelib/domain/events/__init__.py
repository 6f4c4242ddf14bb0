"""Events, notices and commands."""
