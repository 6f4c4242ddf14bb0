"""Tests of `make publish`: the published template, its buckets, and an installation from them."""
