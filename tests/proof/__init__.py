"""The proof: the real app over HTTP, in several processes, on real engines, with the stored state read back."""
