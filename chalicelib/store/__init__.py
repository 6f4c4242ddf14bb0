"""The only place that speaks DynamoDB: items, conditions, and faults turned into domain errors."""
