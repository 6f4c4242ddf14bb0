"""What the API and the consumers share: request and response bodies, problems."""
