"""The local HTTP server: it answers as API Gateway does, errors and limits included."""
