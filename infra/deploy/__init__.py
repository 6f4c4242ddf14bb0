"""Create, update and delete a stage."""
