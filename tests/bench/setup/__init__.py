"""What the benchmarks measure: the app over an engine, a table with many links, a handwritten handler."""
