"""Put up a stage, change it, take it down."""
