"""Use cases of bookings: redeem, move, cancel, find, list, erase."""
