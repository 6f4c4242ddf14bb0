"""Emails, their limits, and email addresses."""
