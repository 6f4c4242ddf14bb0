"""A stage: its file, its stack, and what the stack's account says about it."""
