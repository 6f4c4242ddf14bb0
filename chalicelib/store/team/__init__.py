"""Hosts, API keys and signing keys."""
