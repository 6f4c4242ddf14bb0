"""Event types: their settings, schedules and slots."""
