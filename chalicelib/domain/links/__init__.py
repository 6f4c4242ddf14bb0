"""Links, their batches and successors, and link requests."""
