"""CSV files of links."""
