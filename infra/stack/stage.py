"""A stage: its file in infra/stages, and the outputs of its stack."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from infra.paths import ROOT
from infra.stack.account import Account, DeployError
from infra.stack.restore_progress import RestoreProgress
from infra.stack.stacks import outputs, stack_status

STAGES: Final = ROOT / "infra" / "stages"

CLOSED: Final = "BookingsClosed"  # the parameter that closes a stage to bookings
Closed = Literal["no", "yes", "all"]
CLOSINGS: Final[tuple[Closed, ...]] = ("no", "yes", "all")  # each one closes more than the one before

_KEYS: Final = ("parameters", "table", "signingSecret", "restore")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")


@dataclass(frozen=True)
class Stage:
    """A stage: its name, its parameters, and the existing table and signing keys that it uses, if any.

    `restore` is the progress of a restore that has not finished.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None
    signing_secret: str | None = None
    restore: RestoreProgress | None = None

    @property
    def stack(self) -> str:
        """The name of the stage's stack."""
        return f"admit-one-{self.name}"

    @property
    def closed(self) -> Closed:
        """What the stage's file closes. An unknown value closes everything."""
        found = self.parameters.get(CLOSED, "no")
        return next((each for each in CLOSINGS if each == found), "all")


def read_stage(name: str) -> Stage:
    """Return a stage from its file; a stage without a file has no parameters. Raise `DeployError`."""
    if not _NAME.fullmatch(name):
        raise DeployError(
            f"{name!r} can't name a stage: use at most 20 lowercase letters, digits and hyphens, a letter first."
        )
    path = STAGES / f"{name}.json"
    if not path.exists():
        return Stage(name)
    try:
        document = json.loads(path.read_text())
        unknown = set(document) - set(_KEYS)
        if unknown:
            raise DeployError(
                f"{path.name} has unknown keys: {', '.join(sorted(unknown))}. Known: {', '.join(_KEYS)}."
            )
        parameters = {key: str(value) for key, value in document.get("parameters", {}).items()}
        restore = msgspec.convert(document.get("restore"), RestoreProgress | None)
    except (ValueError, AttributeError) as error:
        raise DeployError(f"{path.name} can't be read: {error}") from error
    return Stage(name, parameters, document.get("table"), document.get("signingSecret"), restore)


class Outputs(dict[str, str]):
    """A stack's outputs. A missing one raises `DeployError`: the stage was deployed before that output was added."""

    def __missing__(self, name: str) -> str:
        """Raise `DeployError`."""
        raise DeployError(f"The stack has no output {name} yet: deploy the stage first (make deploy).")


def stack_outputs(account: Account, stage: Stage) -> dict[str, str]:
    """Return the outputs of a stage's stack. Raise `DeployError` if it is not deployed."""
    cloudformation = account.client("cloudformation")
    if stack_status(cloudformation, stage.stack) is None:
        raise DeployError(
            f"There is no stack {stage.stack} in {account.region}: run make deploy STAGE={stage.name} first."
        )
    return Outputs(outputs(cloudformation, stage.stack))


def stage_settings(account: Account, stage: Stage) -> dict[str, str]:
    """Return the app's settings for a deployed stage, for tools that use its table. Raise `DeployError`."""
    found = stack_outputs(account, stage)
    return {
        "TABLE_NAME": found["TableName"],
        "SIGNING_SECRET_ID": found["SigningSecretId"],
        "BASE_URL": found["SiteUrl"],
        "AWS_REGION": account.region,
        "AWS_DEFAULT_REGION": account.region,
    }


def save_stage(stage: Stage, *, closed: Closed) -> None:
    """Write to the stage's file which table and keys it uses, whether bookings are closed, and a restore's progress.

    Later deployments and restores use them. The file names no table or keys if the stage has none: its stack then uses
    its own. The file's other parameters stay.
    """
    path = STAGES / f"{stage.name}.json"
    document = json.loads(path.read_text()) if path.exists() else {}
    parameters = {name: value for name, value in document.get("parameters", {}).items() if name != CLOSED}
    if closed != "no":
        parameters[CLOSED] = closed
    document["parameters"] = parameters
    restore = msgspec.to_builtins(stage.restore)
    for key, value in (("table", stage.table), ("signingSecret", stage.signing_secret), ("restore", restore)):
        if value:
            document[key] = value
        else:
            document.pop(key, None)
    _write(path, document)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a file at once, so that a command that is killed leaves the old or the new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    with draft.open("w") as file:
        file.write(json.dumps(document, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
