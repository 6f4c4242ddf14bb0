"""Generate files of the repository from code or from a pinned package."""
