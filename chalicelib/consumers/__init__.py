"""The Lambda functions that other AWS services invoke: for a stream, queues, schedules, and direct calls."""
