"""Clients on real sockets against several app processes, and what goes wrong between them."""
