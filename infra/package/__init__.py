"""The package: the zip, and the template merged from Chalice's and the fragments."""
