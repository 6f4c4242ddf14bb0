"""Local DynamoDB engines, each in its own process: ministack (many AWS services) and dynoxide."""
