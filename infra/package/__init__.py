"""Build the package: the zip, and the template from Chalice's and the fragments."""
