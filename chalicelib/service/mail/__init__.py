"""Use cases of emails: decide which to send, send each once, retry, send digests."""
