"""Handlers that other AWS services call: streams, queues, schedules."""
