"""Routes that a link's token opens."""
