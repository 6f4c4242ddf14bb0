"""The proof: race the real app over HTTP, in several processes, on real engines, and audit the whole table."""
