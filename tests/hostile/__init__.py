"""Bad input everywhere: generated from the API description, and fuzzed parser by parser."""
