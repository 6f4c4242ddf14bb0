"""`make acceptance`: whether a deployed stack keeps its promises, and what only a real AWS account can answer."""
