"""Shared by several folders of tests: sites, stand-ins for AWS, browsers, waiting, and the audit of a table."""
