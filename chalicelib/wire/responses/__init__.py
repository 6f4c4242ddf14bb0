"""Response bodies by subject; the API description is generated from these structs."""
