"""Request bodies, response bodies and problems, for the API and the consumers."""
