"""Routes that need an API key."""
