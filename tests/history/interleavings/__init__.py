"""Run the real services one store call at a time, in any order, over DynamoDB in memory."""
