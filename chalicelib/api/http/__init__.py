"""HTTP: routing, requests, authentication, CORS."""
