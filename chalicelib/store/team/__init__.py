"""Hosts and keys."""
