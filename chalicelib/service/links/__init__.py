"""What is done with links."""
