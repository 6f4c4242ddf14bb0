"""History in the table, and the table's stream."""
