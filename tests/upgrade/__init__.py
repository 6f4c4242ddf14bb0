"""Whether the last release and this code work on each other's data, together and after a rollback."""
