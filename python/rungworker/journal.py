"""What a job has done so far, on disk, so that a second run continues instead of starting over.

The journal names the learners' checkpoint files that belong to it; it is replaced atomically after they are written, so
it never points at half a file. Decisions that depend on measured speed (how long the short runs are, how many steps
the final run has) are in it, so that a continued job takes the same ones.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .protocol import JobError, write_atomic


@dataclass
class Config:
    """One configuration of the grid."""

    steps: int = 0
    file: str = ""  # its learner's checkpoint, in the job's folder
    scores: list[float | None] = field(default_factory=list)  # dev loss after each round; None: it diverged
    examples: list[int] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0


@dataclass
class Evaluation:
    """The dev loss at one point of the final run, and the adapter as it was there."""

    steps: int
    examples: int
    dev_loss: float
    train_loss: float
    adapter: str = ""
    digest: str = ""


@dataclass
class Final:
    config: int
    decay_from: int
    total: int
    evals: list[Evaluation] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # of the steps since the last evaluation


@dataclass
class Journal:
    digest: str
    path: str = ""
    spent: float = 0.0  # seconds, up to the last save
    rounds: list[int] | None = None  # examples that the configurations have seen after each round
    configs: list[Config] = field(default_factory=list)
    final: Final | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self._started = time.monotonic() - self.spent

    def elapsed(self) -> float:
        """Seconds that the job has used, earlier runs up to their last save included."""
        return time.monotonic() - self._started

    def save(self, folder: Path) -> None:
        self.spent = self.elapsed()
        write_atomic(folder / "journal.json", json.dumps(asdict(self)).encode())


def read_journal(folder: Path, digest: str, configs: int) -> Journal:
    """The folder's journal, or a new one when there is none or it belongs to another job."""
    path = folder / "journal.json"
    if not path.exists():
        return Journal(digest, configs=[Config() for _ in range(configs)])
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["digest"] != digest:
            return Journal(digest, configs=[Config() for _ in range(configs)])
        final = raw.pop("final")
        raw["configs"] = [Config(**c) for c in raw["configs"]]
        if final:
            final["evals"] = [Evaluation(**e) for e in final["evals"]]
            raw["final"] = Final(**final)
        return Journal(**raw)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise JobError("store", f"the journal cannot be read: {err}", "delete it to start over", str(path)) from err
