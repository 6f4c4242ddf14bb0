"""Links in the table."""
