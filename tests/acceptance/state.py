"""What a run has created, in a file that is written before each creation, so that a killed run can be cleaned up."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from infra.paths import LOCAL

FOLDER: Final = LOCAL / "acceptance"


@dataclass
class State:
    """The names under which a run creates everything. Hosts and API keys have the run's name."""

    stage: str
    run: str
    account: str
    region: str
    helper: str | None = None
    """The name of the helper stack, once its creation was begun."""
    folder: Path = field(default=FOLDER, compare=False)

    @property
    def name(self) -> str:
        """The name of the run's hosts and keys."""
        return f"Acceptance {self.run}"

    @property
    def path(self) -> Path:
        return self.folder / self.stage / f"{self.run}.json"

    def save(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {name: value for name, value in asdict(self).items() if name != "folder"}
        self.path.write_text(json.dumps(content) + "\n")

    def remove(self) -> None:
        """Remove the file: nothing is left to clean up."""
        self.path.unlink(missing_ok=True)


def unfinished(stage: str, folder: Path = FOLDER) -> list[State]:
    """Return the runs of a stage that were not cleaned up."""
    paths = sorted((folder / stage).glob("*.json"))
    return [State(**json.loads(path.read_text()), folder=folder) for path in paths]
