"""The HTTP doors: routes, request parsing, problem+json, the authorizer."""
