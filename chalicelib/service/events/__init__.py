"""From the table's stream to history and the event bus; commands."""
