"""Event types over HTTP."""
