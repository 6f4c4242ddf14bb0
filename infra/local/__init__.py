"""Run Admit One on one machine: the engines that replace AWS, the table, and the HTTP server."""
