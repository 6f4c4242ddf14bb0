"""The only package that calls DynamoDB: items, conditions, and faults translated into domain errors."""
