"""Generate and serve the API's description (OpenAPI)."""
