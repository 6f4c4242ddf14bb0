"""Emails and calendar files."""
