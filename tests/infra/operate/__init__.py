"""Tests of the operators' commands and of their documentation."""
