"""HTML pages: templates, stylesheet, and the functions that fill them."""
