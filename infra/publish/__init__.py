"""Publish a release to regional buckets, from which teams install a stack without a clone."""
