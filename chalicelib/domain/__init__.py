"""The rules: links, event types, slots, bookings, tokens. No AWS, no web framework, no clock."""
