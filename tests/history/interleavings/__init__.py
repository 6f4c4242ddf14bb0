"""Run the real services one store call at a time, in any order, over an in-memory DynamoDB."""
