"""Decide whether a history can be explained, and shrink one that cannot."""
