"""The hosts and API keys of a team."""
