"""One adapter being trained: its parameters, optimizer, position in the data, and the steps it takes.

A learner is a value on disk most of the time: ``save`` writes it whole and ``load`` brings it back, so that a killed job
continues where its last checkpoint was. Dropout is seeded by (seed, step), not by what ran before.
"""

from __future__ import annotations

import io
import math
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from . import adapter, batch, packed
from .packed import PackedModel
from .plain import PlainModel
from .protocol import JobError, Params, Row, write_atomic

BETAS = (0.9, 0.99)  # a short run forgets its first gradients sooner than .999 lets it
CLIP = 1.0
WARMUP = 10  # steps


class Diverged(Exception):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate over steps: linear warm-up, flat until ``decay_from``, then linear to zero at ``total``.

    While configurations are compared the total is not known yet, and the rate stays flat.
    """

    rate: float
    decay_from: int = 0
    total: int = 0

    def at(self, step: int) -> float:
        lr = self.rate * min(1.0, (step + 1) / WARMUP)
        if self.total and step >= self.decay_from:
            lr *= max(0.0, (self.total - step) / max(1, self.total - self.decay_from))
        return lr


@dataclass
class Clock:
    """What the steps of a learner have cost so far."""

    tokens: int = 0
    seconds: float = 0.0
    steps: int = 0
    recent: list[float] = field(default_factory=list)  # seconds of the last steps of this process

    def add(self, tokens: int, seconds: float) -> None:
        self.tokens, self.seconds, self.steps = self.tokens + tokens, self.seconds + seconds, self.steps + 1
        self.recent = [*self.recent[-15:], seconds]

    def rate(self) -> float:
        """Tokens per second over all steps."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def per_step(self) -> float:
        """Seconds of a step, to plan with: the median of the last ones, because the first steps of a process are slow."""
        if len(self.recent) >= 3:
            return statistics.median(self.recent)
        return self.seconds / self.steps if self.steps else 0.0


class Learner:
    """Trains one adapter on rows, in an order that depends on the job's seed alone."""

    def __init__(self, base, params: Params, rows: list[Row], seed: int, fast: bool, max_positions: int = 0):
        self.params, self.rows, self.seed, self.limit = params, rows, seed, max_positions
        self.model = adapter.put_on(base, params)
        self.device = next(self.model.parameters()).device
        self.trained = adapter.parameters(self.model)
        self.optimizer = torch.optim.AdamW(
            self.trained.values(), lr=params.learning_rate, betas=BETAS, weight_decay=0.0, foreach=True
        )
        self.fast = fast
        self.engine = PackedModel(self.model) if fast else PlainModel(self.model)
        self.steps, self.clock, self._orders = 0, Clock(), {}

    @property
    def examples(self) -> int:
        return self.steps * self.params.batch_size

    def rows_of(self, step: int) -> list[Row]:
        """The rows of a step: the epochs' permutations, one after another, cut into batches."""
        size, n = self.params.batch_size, len(self.rows)
        return [self._row(i // n, i % n) for i in range(step * size, (step + 1) * size)]

    def _row(self, epoch: int, i: int) -> Row:
        if epoch not in self._orders:
            order = list(range(len(self.rows)))
            random.Random(f"{self.seed}/{epoch}").shuffle(order)
            self._orders = {epoch: order} | {e: o for e, o in self._orders.items() if e == epoch - 1}
        return self.rows[self._orders[epoch][i]]

    def step(self, schedule: Schedule) -> float:
        """Take one step; give the mean loss of its completion tokens, in nats. Raises Diverged."""
        started = time.monotonic()
        rows = self.rows_of(self.steps)
        count = sum(len(r.completion) for r in rows)
        torch.manual_seed(hash((self.seed, self.params.seed, self.steps)) & 0x7FFFFFFF)
        self.optimizer.zero_grad(set_to_none=True)
        total = sum(self.engine.step(b, count) for b in self._batches(rows))
        norm = torch.nn.utils.clip_grad_norm_(self.trained.values(), CLIP)
        if not (math.isfinite(total) and math.isfinite(float(norm))):
            raise Diverged(f"the loss is not a number at step {self.steps}")
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.at(self.steps)
        self.optimizer.step()
        self.steps += 1
        self.clock.add(sum(len(r) for r in rows), time.monotonic() - started)
        return total / count

    def _batches(self, rows: list[Row]) -> list:
        make = batch.pack if self.fast else batch.pad
        return [make(part, self.device) for part in batch.split(rows, self.limit, self.fast)]

    def dev_loss(self, rows: list[Row], alive=lambda: None) -> float:
        """Mean loss of the completion tokens of rows, in nats. ``alive`` is called between batches and may raise."""
        limit = min(self.limit or 1024, 1024)
        make, total = (batch.pack if self.fast else batch.pad), 0.0
        for part in batch.split(rows, limit, self.fast):
            alive()
            total += self.engine.loss(make(part, self.device))
        return total / sum(len(r.completion) for r in rows)

    def save(self, path: Path) -> None:
        """Write parameters, optimizer and position, atomically."""
        data = io.BytesIO()
        torch.save(
            {
                "params": self.params.as_json(),
                "adapter": {n: p.detach().cpu() for n, p in self.trained.items()},
                "optimizer": self.optimizer.state_dict(),
                "steps": self.steps,
                "tokens": self.clock.tokens,
                "seconds": self.clock.seconds,
            },
            data,
        )
        write_atomic(path, data.getvalue())

    def load(self, path: Path) -> None:
        """Continue from what ``save`` wrote. Raises JobError ``store`` when the file is damaged."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state["params"] != self.params.as_json():
                raise ValueError("it belongs to other settings")
            with torch.no_grad():
                for name, p in self.trained.items():
                    p.copy_(state["adapter"][name])
            self.optimizer.load_state_dict(state["optimizer"])
            self.steps = int(state["steps"])
            self.clock = Clock(int(state["tokens"]), float(state["seconds"]), self.steps)
        except Exception as err:  # torch.load raises many types for a damaged file
            raise JobError("store", f"the checkpoint cannot be read: {err}", "delete it to start over", str(path)) from err

    def release(self):
        """Take the adapter off; give the base model for the next learner."""
        self.optimizer.zero_grad(set_to_none=True)
        return adapter.take_off(self.model)


def fast_path(base, option: str) -> str:
    """Why the packed path is not used; empty when it is."""
    if option == "plain":
        return "the plain path was asked for"
    if next(base.parameters()).device.type != "cpu" and option != "packed":
        return "on a GPU the plain path with fused attention is used"
    return packed.why_not(base.config)
