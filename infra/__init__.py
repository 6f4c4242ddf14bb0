"""What surrounds the code: the template merged into Chalice's, and everything for running it locally."""
