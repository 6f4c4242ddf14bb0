"""Save the progress of a restore in the stage's file, so that `make restore` can continue after it was stopped."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import msgspec

from infra.stack.restore_progress import RestoreProgress
from infra.stack.stage import Closed, Stage, save_stage


@dataclass
class Progress:
    """The progress of the restore of a stage; `closed` is what the stage's file closes.

    `stage` has the table that the next deployment uses. Everything is saved before the step that needs it, because a
    deployment from the same checkout must neither open the stage nor use another table.
    """

    stage: Stage
    known: RestoreProgress
    closed: Closed

    def save(self, **changes: Any) -> None:
        """Change the progress, and write it to the stage's file."""
        self.known = msgspec.structs.replace(self.known, **changes)
        save_stage(dataclasses.replace(self.stage, restore=self.known), closed=self.closed)

    def close(self, closed: Closed, stage: Stage) -> None:
        """Record what is closed from now on, and the table that the stage uses. `all` stays `all`."""
        self.stage = stage
        self.closed = "all" if self.closed == "all" else closed
        self.save()

    def end(self) -> None:
        """Record that the restore has ended: the file keeps the table, and bookings are open."""
        self.closed = "no"
        save_stage(dataclasses.replace(self.stage, restore=None), closed="no")
