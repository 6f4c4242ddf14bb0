"""Files in the repository that are written from code or from a pinned package."""
