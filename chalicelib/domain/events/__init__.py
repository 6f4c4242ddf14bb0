"""Events, what they carry, and commands."""
