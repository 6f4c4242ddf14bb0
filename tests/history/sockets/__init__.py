"""Clients on real sockets against several app processes, with faults between app and DynamoDB."""
