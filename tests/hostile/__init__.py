"""Bad input at every door: generated from the API's own description, and fuzzed parser by parser."""
