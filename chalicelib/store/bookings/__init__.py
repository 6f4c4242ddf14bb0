"""Bookings and taken time in the table."""
