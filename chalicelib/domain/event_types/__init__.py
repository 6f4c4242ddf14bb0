"""Event types: settings, schedules, and the slots they offer."""
