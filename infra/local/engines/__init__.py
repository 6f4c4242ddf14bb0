"""Local DynamoDB engines, each a process of its own: ministack (many AWS services) and dynoxide."""
