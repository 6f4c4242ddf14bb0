"""`make restore`: restore a stage's table to a moment, and apply the archived events since then."""
