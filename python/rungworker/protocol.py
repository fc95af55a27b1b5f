"""What the worker says and hears: one JSON job in, JSON lines out, errors with a code.

Every line on standard output is one object with ``v`` (the schema version) and ``type``: ``progress``, ``note``,
``done`` or ``error``. Anything else (warnings of libraries) belongs on standard error.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

VERSION = 1


class JobError(Exception):
    """An error for a person; ``code`` is one of rung's error codes."""

    def __init__(self, code: str, what: str, do: str = "", place: str = ""):
        super().__init__(what)
        self.code, self.what, self.do, self.place = code, what, do, place


class Stopped(Exception):
    """The job was asked to stop; its state is saved."""


@dataclass(frozen=True)
class Row:
    """Token ids of one training row. The loss is on the completion only."""

    prompt: list[int]
    completion: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True)
class Params:
    """Settings of one adapter; the JSON names are those of rung's AdapterParams."""

    rank: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]
    learning_rate: float
    epochs: float
    batch_size: int
    seed: int

    def as_json(self) -> dict:
        return asdict(self) | {"targets": list(self.targets)}


@dataclass(frozen=True)
class Options:
    """Knobs that do not change what is trained, or only its numerics."""

    path: str = "auto"  # auto, packed, plain
    dtype: str = "auto"  # auto, bfloat16, float32
    checkpoint_s: float = 30.0
    max_positions: int = 0  # of one forward and backward; larger batches are cut and their gradients summed; 0: no limit
    threads: int = 0  # 0: torch's default
    die_with_stdin: bool = False


@dataclass(frozen=True)
class Job:
    digest: str
    base: Path
    train: list[Row]
    dev: list[Row]
    grid: list[Params]
    wall_s: float
    seed: int
    dir: Path
    options: Options = field(default_factory=Options)


def read_job(path: Path) -> Job:
    """Read and check a job file. Raises JobError with code ``input``."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.get("v") != VERSION:
            raise JobError("internal", f"the job file has version {raw.get('v')!r}, this worker speaks {VERSION}")
        job = Job(
            digest=str(raw["digest"]),
            base=Path(raw["base"]),
            train=_rows(raw["train"]),
            dev=_rows(raw["dev"]),
            grid=[_params(p) for p in raw["grid"]],
            wall_s=float(raw["wall_s"]),
            seed=int(raw["seed"]),
            dir=Path(raw["dir"]),
            options=Options(**raw.get("options", {})),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise JobError("internal", f"the job file cannot be read: {err}", place=str(path)) from err
    _check(job)
    return job


def _rows(raw: list) -> list[Row]:
    return [Row([int(t) for t in r["prompt"]], [int(t) for t in r["completion"]]) for r in raw]


def _params(raw: dict) -> Params:
    return Params(
        rank=int(raw["rank"]),
        alpha=int(raw["alpha"]),
        dropout=float(raw["dropout"]),
        targets=tuple(str(t) for t in raw["targets"]),
        learning_rate=float(raw["learning_rate"]),
        epochs=float(raw["epochs"]),
        batch_size=int(raw["batch_size"]),
        seed=int(raw["seed"]),
    )


def _check(job: Job) -> None:
    if not job.train:
        raise JobError("input", "there are no training rows", "give the task more examples")
    if not job.dev:
        raise JobError("input", "there are no dev rows to choose settings on", "give the task more examples")
    if not job.grid:
        raise JobError("internal", "the grid of settings is empty")
    for name, rows in (("train", job.train), ("dev", job.dev)):
        for i, row in enumerate(rows):
            if not row.prompt or not row.completion:
                part = "prompt" if not row.prompt else "completion"
                raise JobError("input", f"{name} row {i} has an empty {part}", "remove the example or fill it in")
    for p in job.grid:
        ok = p.rank > 0 and p.alpha > 0 and 0 <= p.dropout < 1 and p.targets and p.batch_size > 0
        if not (ok and p.epochs > 0 and p.learning_rate > 0 and math.isfinite(p.learning_rate)):
            raise JobError("input", f"the training settings make no sense: {p.as_json()}", "correct them")


class Speaker:
    """Writes events as JSON lines. Safe to use from several threads."""

    def __init__(self, stream=None):
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()

    def say(self, type_: str, **fields) -> None:
        line = json.dumps({"v": VERSION, "type": type_} | fields, allow_nan=False)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def note(self, message: str) -> None:
        self.say("note", message=message)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of it."""
    tmp = path.with_name(path.name + ".tmp")
    with open(tmp, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(tmp, path)
