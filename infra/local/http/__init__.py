"""The local HTTP server: it responds as API Gateway does, including errors and limits."""
