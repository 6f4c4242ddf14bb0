"""Tests of the promises, and of everything around them. tests/README.md says where to start."""
