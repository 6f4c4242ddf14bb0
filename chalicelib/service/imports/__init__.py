"""Use cases of imports: create links from CSV files."""
