"""Links from CSV files."""
