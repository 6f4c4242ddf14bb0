"""Bookings, and the rules of a redeem."""
