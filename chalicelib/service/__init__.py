"""The use cases, one function per verb. Each takes the world (store, clock, randomness) and raises domain errors."""
