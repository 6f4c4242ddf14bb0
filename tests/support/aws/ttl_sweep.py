"""A dynoxide whose TTL deletes expired items on demand, with the same stream records as DynamoDB."""

import socket
from pathlib import Path
from typing import Any, Final

import httpx

from infra.local.engines.dynoxide import Dynoxide
from tests.support.waiting import LIMIT

_PROTOCOL: Final = "2025-03-26"


class SweepingDynoxide(Dynoxide):
    """dynoxide with its tools (MCP over HTTP, on loopback) enabled. Without them its TTL deletes nothing."""

    def _command(self, port: int, files: Path) -> list[str]:
        binary, *options = super()._command(port, files)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._tools_port: int = probe.getsockname()[1]
        return [binary, "serve", *options, "--mcp", "--mcp-port", str(self._tools_port), "--mcp-no-auth"]

    def sweep(self) -> None:
        """Delete the items that have expired by the engine's clock, in every table with TTL enabled."""
        headers = {"Accept": "application/json, text/event-stream"}
        transport = httpx.HTTPTransport(retries=5)  # the tools may start a moment after the engine
        with httpx.Client(headers=headers, transport=transport, trust_env=False, timeout=LIMIT) as client:
            url = f"http://127.0.0.1:{self._tools_port}/mcp"

            def call(method: str, number: int | None, **params: Any) -> httpx.Response:
                request = {"jsonrpc": "2.0", "method": method, "params": params}
                return client.post(
                    url, json=request | ({} if number is None else {"id": number})
                ).raise_for_status()

            who = {"name": "tests", "version": "1"}
            begun = call("initialize", 1, protocolVersion=_PROTOCOL, capabilities={}, clientInfo=who)
            if session := begun.headers.get("mcp-session-id"):
                client.headers["mcp-session-id"] = session
            call("notifications/initialized", None)
            answer = call("tools/call", 2, name="sweep_ttl", arguments={}).json()
            assert answer["result"]["isError"] is False, answer
