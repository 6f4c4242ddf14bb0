"""Stand-ins for AWS: engines for DynamoDB, buses, streams and Lambda's runtime."""
