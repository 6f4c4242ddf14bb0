"""Use cases of the team: hosts, API keys, and the host that a request applies to."""
