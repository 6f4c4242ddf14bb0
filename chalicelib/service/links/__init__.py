"""Use cases of links: generate, open, change, revoke, replace, send, list and more."""
