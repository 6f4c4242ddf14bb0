"""One function per verb. Each takes what it needs (store, clock) and raises domain errors."""
