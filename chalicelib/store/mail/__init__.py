"""Emails in the table."""
