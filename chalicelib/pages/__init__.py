"""HTML pages and emails: templates, phrases, assets, and the functions that render them."""
