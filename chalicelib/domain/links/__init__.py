"""Links, their batches and successors, and requests for new ones."""
