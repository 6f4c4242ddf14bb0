"""The HTTP routers: routes, request parsing, problem+json, the authorizer."""
