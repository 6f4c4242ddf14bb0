"""Running Admit One on one machine: the engines that stand in for AWS, the table, and the HTTP server."""
