"""Chooses settings and trains within the time given.

Successive halving: every configuration of the grid is trained on the same first part of the data, the better half by dev
loss goes on to twice as much, until one is left. That one continues from where it is, with a schedule sized to the time
that is really left, and the point with the lowest dev loss is kept.
"""

from __future__ import annotations

import math
import resource
import statistics
import time

from . import adapter
from .journal import Config, Evaluation, Final, Journal
from .learner import Diverged, Learner, Schedule
from .protocol import Job, JobError, Row, Speaker, Stopped

SEARCH_SHARE = 0.4  # of the wall time, for the short runs
MIN_STEPS = 20  # of a short run: fewer tell noise, most of them are warm-up
PROBE_STEPS = 4  # to measure the speed
DEV_ROWS = 96  # at most this many dev rows choose
EVALS = 4  # of the final run


def rounds(configs: int, per_example: float, per_dev: float, left: float, examples: int, batch: int) -> list[int]:
    """Examples that the configurations still in the race have seen after each round; empty when there is no time.

    Round i trains configs/2^i configurations up to x·2^i examples, in all x·configs·(1 + (n-1)/2) for n rounds.
    ``per_example`` and ``per_dev`` are seconds.
    """
    n = math.ceil(math.log2(configs)) if configs > 1 else 0
    if n == 0:
        return []
    budget = SEARCH_SHARE * left - 2 * configs * per_dev
    first = int(budget / (per_example * configs * (1 + (n - 1) / 2)))
    first = min(first, examples // 2**n)
    first -= first % batch
    if first < MIN_STEPS * batch:
        return []
    return [first * 2**i for i in range(n)]


class Search:
    """Runs one job to its end. ``stop`` is asked before each step; when it says yes the state is saved first."""

    def __init__(self, job: Job, base, journal: Journal, speaker: Speaker, fast: bool, stop=lambda: False):
        self.job, self.base, self.journal, self.speaker, self.stop = job, base, journal, speaker, stop
        self.fast = fast
        self.dev = job.dev[:DEV_ROWS]
        self.learner: Learner | None = None
        self.current = -1
        self._saved = time.monotonic()
        self._per_dev = 0.0
        (job.dir / "adapters").mkdir(parents=True, exist_ok=True)

    def run(self) -> dict:
        try:
            return self._run()
        except Diverged as err:  # while measuring
            raise JobError("input", f"{err}, with {label(self.learner.params)}", "lower the learning rate") from err

    def _run(self) -> dict:
        if len(self.job.grid) > 1:
            self._race()
        winner = self._winner()
        if self.journal.final is None:
            self._plan_final(winner)
        self._train_final()
        return self._result()

    # The short runs.

    def _race(self) -> None:
        if self.journal.rounds is None:
            self._plan_rounds()
        for i, examples in enumerate(self.journal.rounds or []):
            for c in self._alive(i):
                if len(self.journal.configs[c].scores) <= i:
                    self._short_run(c, i, examples)

    def _plan_rounds(self) -> None:
        grid = self.job.grid
        self._probe_first()
        per_example = self.learner.clock.per_step() / self.learner.params.batch_size
        examples = int(min(p.epochs for p in grid) * len(self.job.train))
        batch = math.lcm(*(p.batch_size for p in grid))
        left = self.job.wall_s - self.journal.elapsed()
        self.journal.rounds = rounds(len(grid), per_example, self._per_dev, left, examples, batch)
        if not self.journal.rounds:
            self._note(
                f"too little time or data to compare {len(grid)} settings; the first one, {label(grid[0])}, is trained"
            )
        self._save()

    def _probe_first(self) -> None:
        """Measure with the first configuration that gives numbers; the others show in the race what they are."""
        for c in range(len(self.job.grid)):
            try:
                return self._probe(c)
            except Diverged:
                if c == len(self.job.grid) - 1:
                    raise

    def _probe(self, c: int) -> None:
        """Take the first steps of a configuration, to learn what a step and a dev evaluation cost."""
        self._switch(c)
        schedule = Schedule(self.learner.params.learning_rate)
        while self.learner.steps < PROBE_STEPS:
            self._step(schedule, "measure", PROBE_STEPS)
        if not self._per_dev:
            self._dev_loss()

    def _alive(self, i: int) -> list[int]:
        """Configurations that take part in round i: all, then the better half of the round before."""
        alive = list(range(len(self.job.grid)))
        for r in range(i):
            score = lambda c, r=r: self._score(c, r)  # noqa: E731
            alive = sorted(sorted(alive, key=score)[: max(1, len(alive) // 2)])
        return alive

    def _score(self, c: int, r: int) -> float:
        scores = self.journal.configs[c].scores
        if len(scores) <= r or scores[r] is None:
            return math.inf
        return scores[r]

    def _short_run(self, c: int, i: int, examples: int) -> None:
        config = self.journal.configs[c]
        if i and config.scores[-1] is None:
            config.scores.append(None)
            return
        self._switch(c)
        params = self.learner.params
        steps = examples // params.batch_size
        try:
            while self.learner.steps < steps:
                self._step(Schedule(params.learning_rate), "search", steps)
            loss = self._dev_loss()
        except Diverged as err:
            self._note(f"{label(params)}: {err}; it leaves the race")
            loss = None
        config.scores.append(loss)
        config.examples.append(self.learner.examples)
        self._save()
        self._say("search", steps, dev_loss=loss)

    # The final run.

    def _winner(self) -> int:
        if self.journal.final is not None:
            return self.journal.final.config
        played = len(self.journal.rounds or [])
        if played == 0:
            return 0
        alive = self._alive(played - 1)
        best = min(alive, key=lambda c: self._score(c, played - 1))
        if math.isinf(self._score(best, played - 1)):
            raise JobError(
                "input",
                "the loss is not a number with any of the settings",
                "lower the learning rates, or check the base model",
            )
        return best

    def _plan_final(self, c: int) -> None:
        self._probe(c)
        steps = self.learner.steps
        self.journal.final = Final(c, steps, max(self._affordable(EVALS), steps + 1))
        self._save()

    def _affordable(self, evals: int) -> int:
        """The step that the final run can reach in the time left, at most the end of its epochs."""
        learner, params = self.learner, self.learner.params
        left = 0.95 * (self.job.wall_s - self.journal.elapsed()) - evals * self._per_dev
        wanted = math.ceil(params.epochs * len(self.job.train) / params.batch_size)
        return min(wanted, learner.steps + max(0, int(left / learner.clock.per_step())))

    def _replan(self) -> None:
        """Move the end of the schedule when the machine turned out to be faster or slower than it was while measuring."""
        final, step = self.journal.final, self.learner.steps
        if step < final.total:
            final.total = max(step + 1, self._affordable(EVALS - len(final.evals)))

    def _train_final(self) -> None:
        final = self.journal.final
        self._switch(final.config)
        rate = self.learner.params.learning_rate
        try:
            while True:
                # Asked before the step, so that a run killed during an evaluation makes up for it.
                if self.learner.steps in self._points(final) and self._unevaluated():
                    self._evaluate()
                if self.learner.steps >= final.total or self._late():
                    break
                final.losses.append(self._step(Schedule(rate, final.decay_from, final.total), "train", final.total))
            if self._unevaluated():
                self._evaluate()
            self._note_shortfall()
        except Diverged as err:
            if not final.evals:
                raise JobError("input", f"{err}, with {label(self.learner.params)}", "lower the learning rate") from err
            self._note(f"{err}; the best point before it is kept")

    def _unevaluated(self) -> bool:
        evals = self.journal.final.evals
        return not evals or evals[-1].steps < self.learner.steps

    def _points(self, final: Final) -> set[int]:
        span = final.total - final.decay_from
        return {final.decay_from + math.ceil(span * (i + 1) / EVALS) for i in range(EVALS)}

    def _late(self) -> bool:
        """The time is up, and there is something to show for it."""
        return self.journal.elapsed() > self.job.wall_s and self.learner.steps > self.journal.final.decay_from

    def _note_shortfall(self) -> None:
        wanted, seen = self.learner.params.epochs, self.learner.examples / len(self.job.train)
        if seen < 0.99 * wanted:
            self._note(f"the time was enough for {seen:.1f} of {wanted:g} epochs")

    def _evaluate(self) -> None:
        final, learner = self.journal.final, self.learner
        loss = self._dev_loss()
        path = self.job.dir / "adapters" / f"step-{learner.steps:06d}.gguf"
        digest = adapter.write_gguf(learner.model, learner.params, path)
        best = all(loss < e.dev_loss for e in final.evals)
        if best:
            adapter.save_peft(learner.model, self.job.dir / "peft")
        train_loss = statistics.fmean(final.losses) if final.losses else loss
        final.losses = []
        final.evals.append(Evaluation(learner.steps, learner.examples, loss, train_loss, path.name, digest))
        self._replan()
        self._save()
        self._say("train", final.total, dev_loss=loss)

    # Shared.

    def _step(self, schedule: Schedule, phase: str, of: int) -> float:
        self._pause()
        loss = self.learner.step(schedule)
        self._say(phase, of, loss=loss)
        return loss

    def _dev_loss(self) -> float:
        started = time.monotonic()
        loss = self.learner.dev_loss(self.dev, self._pause)
        self._per_dev = time.monotonic() - started
        if not math.isfinite(loss):
            raise Diverged(f"the dev loss is not a number at step {self.learner.steps}")
        return loss

    def _pause(self) -> None:
        """Save now and then; stop when asked to."""
        if self.stop():
            self._save()
            raise Stopped
        if time.monotonic() - self._saved >= self.job.options.checkpoint_s:
            self._save()

    def _switch(self, c: int) -> None:
        """Make configuration c the one that trains, from its checkpoint if it has one."""
        if self.current == c:
            return
        if self.learner is not None:
            self._save()
            self.base = self.learner.release()
        params, limit = self.job.grid[c], self.job.options.max_positions
        self.learner = Learner(self.base, params, self.job.train, self.job.seed, self.fast, limit)
        self.current = c
        if file := self.journal.configs[c].file:
            self.learner.load(self.job.dir / file)

    def _save(self) -> None:
        """Write the learner's checkpoint, then the journal that names it, then drop the checkpoint before."""
        config, learner = self.journal.configs[self.current], self.learner
        before = config.file
        name = f"config-{self.current}-step-{learner.steps:06d}.pt"
        if name != before:
            learner.save(self.job.dir / name)
        config.file, config.steps = name, learner.steps
        config.tokens, config.seconds = learner.clock.tokens, learner.clock.seconds
        self.journal.save(self.job.dir)
        if before and before != name:
            (self.job.dir / before).unlink(missing_ok=True)
        self._saved = time.monotonic()

    def _note(self, message: str) -> None:
        if message not in self.journal.notes:
            self.journal.notes.append(message)
        self.speaker.note(message)

    def _say(self, phase: str, steps: int, loss: float | None = None, dev_loss: float | None = None) -> None:
        rate, step = self.learner.clock.rate(), self.learner.steps
        eta = (steps - step) * self.learner.clock.seconds / step if step else 0.0
        self.speaker.say(
            "progress",
            phase=phase,
            config=self.current + 1,
            configs=len(self.job.grid),
            label=label(self.learner.params),
            step=step,
            steps=steps,
            loss=loss,
            dev_loss=dev_loss,
            tokens_per_s=rate,
            eta_s=eta,
            elapsed_s=self.journal.elapsed(),
        )

    def _result(self) -> dict:
        final = self.journal.final
        best = min(final.evals, key=lambda e: e.dev_loss)
        winner, tokens, seconds = self.journal.configs[final.config], 0, 0.0
        for config in self.journal.configs:
            tokens, seconds = tokens + config.tokens, seconds + config.seconds
        curve = [{"examples": x, "dev_loss": s} for x, s in zip(winner.examples, winner.scores, strict=True) if s]
        curve += [{"examples": e.examples, "dev_loss": e.dev_loss} for e in final.evals]
        folder = self.job.dir / "adapters"
        return {
            "adapter": str(folder / best.adapter),
            "peft_dir": str(self.job.dir / "peft"),
            "digest": best.digest,
            "params": self.job.grid[final.config].as_json(),
            "dev_loss": best.dev_loss,
            "train_loss": best.train_loss,
            "examples_seen": best.examples,
            "tokens_per_second": tokens / seconds if seconds else 0.0,
            "seconds": self.journal.elapsed(),
            "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "path": self.journal.path,
            "notes": self.journal.notes,
            "trials": [self._trial(c, config) for c, config in enumerate(self.journal.configs)],
            "curve": curve,
            "checkpoints": [
                {"adapter": str(folder / e.adapter), "digest": e.digest, "examples": e.examples, "dev_loss": e.dev_loss}
                for e in final.evals
            ],
        }

    def _trial(self, c: int, config: Config) -> dict:
        scored = [(x, s) for x, s in zip(config.examples, config.scores, strict=False) if s is not None]
        return {
            "params": self.job.grid[c].as_json(),
            "label": label(self.job.grid[c]),
            "dev_loss": scored[-1][1] if scored else None,
            "examples": scored[-1][0] if scored else 0,
            "diverged": bool(config.scores) and config.scores[-1] is None,
            "seconds": config.seconds,
            "chosen": c == self.journal.final.config,
        }


def label(params) -> str:
    """A short name of a configuration, for people."""
    targets = "all linear" if len(params.targets) >= 7 else ", ".join(t.removesuffix("_proj") for t in params.targets)
    return f"lr {params.learning_rate:g}, r={params.rank}, {targets}, batch {params.batch_size}"


def first_rows(rows: list[Row], n: int) -> list[Row]:
    """The n shortest rows: a cheap batch for a check."""
    return sorted(rows, key=len)[:n]
