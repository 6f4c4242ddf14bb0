"""The other AWS services the product speaks to, and HTTP out: one module each, behind a port of the services."""
