"""What is done with bookings."""
