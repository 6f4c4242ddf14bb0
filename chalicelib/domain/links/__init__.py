"""Links, their tokens, batches and requests for new ones."""
