"""Write emails and calendar files."""
