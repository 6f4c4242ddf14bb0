"""Hosts and the API keys of a team."""
