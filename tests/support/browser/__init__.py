"""A browser, and the pages as people use them."""
