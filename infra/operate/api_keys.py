"""`make key`, `make keys`, `make revoke-key`: manage API keys of this machine or, with STAGE=…, of a stage on AWS."""

import argparse
import os
import sys
from collections.abc import Sequence

from chalicelib import bootstrap
from chalicelib.domain.causes import Cause
from chalicelib.domain.clock import rfc3339
from chalicelib.domain.errors import AdmitOneError
from chalicelib.domain.team.api_keys import Role
from chalicelib.service.team.authenticate import list_keys, make_key, revoke_key
from infra.errors import CommandError
from infra.local.backend import any_backend
from infra.stack.account import explained, open_account
from infra.stack.stage import read_stage, stage_settings

_CAUSE = Cause("system:operator", "make-key")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command on the local table or a stage's table; return the exit status."""
    given = _parse(arguments)
    try:
        if given.stage:
            with explained():
                os.environ.update(stage_settings(open_account(), read_stage(given.stage)))
                bootstrap.forget()
                _run(given)
        else:
            with any_backend(os.environ.get("DYNAMODB_ENDPOINT") or None, lambda _: None) as backend:
                backend.apply()
                bootstrap.forget()
                _run(given)
    except (AdmitOneError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(given: argparse.Namespace) -> None:
    world = bootstrap.world()
    if given.command == "create":
        made = make_key(world, role=Role(given.role), host_id=given.host, name=given.name, cause=_CAUSE)
        print(f"Key id: {made.key.key_id}")
        print(f"API key (shown this once): {made.secret}")
    elif given.command == "list":
        for key in list_keys(world):
            state = f"revoked {rfc3339(key.revoked_at)}" if key.revoked_at else "active"
            since, host = rfc3339(key.created_at), key.host_id or "-"
            print(f"{key.key_id}  {key.role.value:5}  {host:30}  {since}  {state}  {key.name}")
    else:
        revoke_key(world, given.key_id, _CAUSE)
        print(f"Revoked {given.key_id}; rejected everywhere within 60 seconds.")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra.operate.api_keys", description=__doc__)
    parser.add_argument("--stage", default="", help="a stage on AWS (default: this machine)")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="create a key and show it once")
    create.add_argument("--role", choices=[role.value for role in Role], required=True)
    create.add_argument("--host", help="the hostId that it acts for; required for a host key")
    create.add_argument("--name", default="", help="a name to recognize it by")
    commands.add_parser("list", help="list keys, newest first")
    revoke = commands.add_parser("revoke", help="revoke a key")
    revoke.add_argument("key_id")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
