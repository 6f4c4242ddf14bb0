"""What benchmarks measure: the app over an engine, a table of many links, a handler by hand."""
