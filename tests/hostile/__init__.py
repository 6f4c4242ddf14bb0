"""Hostile input: requests generated from the API description, and fuzzing of every parser."""
