"""Use cases of events: relay the table's stream to history and bus, publish notices, claim commands."""
