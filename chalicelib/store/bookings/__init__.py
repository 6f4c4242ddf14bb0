"""Bookings, and the hosts' busy time."""
