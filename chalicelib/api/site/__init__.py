"""The console, the landing page, and the pages' assets."""
