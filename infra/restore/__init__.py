"""`make restore`: restore a stage's table to a moment, and redo what happened since."""
