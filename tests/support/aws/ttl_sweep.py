"""dynoxide whose TTL deletes expired items when a test says so, with stream records as DynamoDB's."""

import socket
from pathlib import Path
from typing import Any, Final

import httpx

from infra.local.engines.dynoxide import Dynoxide
from tests.support.waiting import LIMIT

_PROTOCOL: Final = "2025-03-26"


class SweepingDynoxide(Dynoxide):
    """dynoxide with its tools (MCP over HTTP, loopback alone) beside it: left to itself its TTL takes nothing."""

    def _command(self, port: int, files: Path) -> list[str]:
        binary, *options = super()._command(port, files)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._tools_port: int = probe.getsockname()[1]
        return [binary, "serve", *options, "--mcp", "--mcp-port", str(self._tools_port), "--mcp-no-auth"]

    def sweep(self) -> None:
        """Let TTL take what is over by the engine's own clock, in every table that has TTL on."""
        headers = {"Accept": "application/json, text/event-stream"}
        transport = httpx.HTTPTransport(retries=5)  # it may listen a moment after the engine does
        with httpx.Client(headers=headers, transport=transport, trust_env=False, timeout=LIMIT) as client:
            url = f"http://127.0.0.1:{self._tools_port}/mcp"

            def call(method: str, number: int | None, **params: Any) -> httpx.Response:
                told = {"jsonrpc": "2.0", "method": method, "params": params}
                return client.post(
                    url, json=told | ({} if number is None else {"id": number})
                ).raise_for_status()

            who = {"name": "tests", "version": "1"}
            begun = call("initialize", 1, protocolVersion=_PROTOCOL, capabilities={}, clientInfo=who)
            if session := begun.headers.get("mcp-session-id"):
                client.headers["mcp-session-id"] = session
            call("notifications/initialized", None)
            answer = call("tools/call", 2, name="sweep_ttl", arguments={}).json()
            assert answer["result"]["isError"] is False, answer
