"""Hosts, API keys, and the host that a request applies to."""
