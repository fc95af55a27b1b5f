"""Training speed: rung's worker against TRL's SFTTrainer, on the same rows, with the same settings, in one process.

    python rows.py --base MODEL.gguf --data .../snips --n 300 --out rows.json
    python compare.py --base MODEL.gguf --rows rows.json [--targets qv|all] [--steps 12] [--repeats 3]

Both start from the same adapter (same seed), see the same batches in the same order, use AdamW with the same rates and clip
the same norm; dropout is off so that the losses can be compared step by step. The runs are interleaved (ours, theirs,
ours, theirs), because other programs share the machine; the ratio is that of the medians over the repeats. Tokens are the
non-padding tokens of prompts and completions, for both. The first step of each run is left out of the timing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from rungworker import base  # noqa: E402
from rungworker.learner import BETAS, CLIP, Learner, Schedule  # noqa: E402
from rungworker.protocol import Job, Params, Row  # noqa: E402
from transformers import AutoTokenizer, TrainerCallback  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402

TARGETS = {
    "qv": ("q_proj", "v_proj"),
    "all": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}


class Flat(Schedule):
    """One rate from the first step on, for both sides."""

    def at(self, step: int) -> float:
        return self.rate


class InOrder(SFTTrainer):
    """SFTTrainer that takes the rows in the order given, as the other side does."""

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


class Times(TrainerCallback):
    def __init__(self, clock):
        self.clock, self.at, self.losses = clock, [], []

    def on_step_begin(self, *_, **__):
        self.at.append(-self.clock())

    def on_step_end(self, *_, **__):
        self.at[-1] += self.clock()

    def on_log(self, args, state, control, logs=None, **_):
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


class Bench:
    def __init__(self, args):
        rows = [Row(r["prompt"], r["completion"]) for r in json.loads(args.rows.read_text(encoding="utf-8"))]
        self.args, self.rows = args, rows[: args.steps * args.batch]
        self.clock = time.process_time if args.cpu_time else time.monotonic
        self.params = Params(args.rank, 16, 0.0, TARGETS[args.targets], args.lr, 1.0, args.batch, 1)
        self.dtype = base.pick_dtype(args.dtype, torch.device("cpu"))
        self.tokenizer = AutoTokenizer.from_pretrained(str(args.base.parent), gguf_file=args.base.name)
        job = Job("", args.base, [], [], [], 1, 1, Path())
        self.ours_base = base.load_base(job, torch.device("cpu"), self.dtype)
        self.theirs_base = base.load_base(job, torch.device("cpu"), self.dtype)
        self.theirs_base.set_attn_implementation("sdpa")  # what SFTTrainer takes when nobody says otherwise
        self.tokens = [sum(len(r) for r in self.rows[i : i + args.batch]) for i in range(0, len(self.rows), args.batch)]

    def rate(self, seconds: list[float]) -> float:
        """Tokens per second without the first step."""
        return sum(self.tokens[1:]) / sum(seconds[1:])

    def ours(self, path: str) -> tuple[float, list[float]]:
        learner = Learner(self.ours_base, self.params, self.rows, seed=0, fast=path == "packed")
        learner.rows_of = lambda step: self.rows[step * self.args.batch : (step + 1) * self.args.batch]
        seconds, losses = [], []
        for _ in range(self.args.steps):
            started = self.clock()
            losses.append(learner.step(Flat(self.args.lr)))
            seconds.append(self.clock() - started)
        self.ours_base = learner.release()
        return self.rate(seconds), losses

    def theirs(self) -> tuple[float, list[float]]:
        from rungworker import adapter

        model = adapter.put_on(self.theirs_base, self.params)
        times, a = Times(self.clock), self.args
        config = SFTConfig(
            output_dir=tempfile.mkdtemp(prefix="rung-sft-"),
            per_device_train_batch_size=a.batch,
            max_steps=a.steps,
            learning_rate=a.lr,
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            weight_decay=0.0,
            max_grad_norm=CLIP,
            lr_scheduler_type="constant",
            completion_only_loss=True,
            bf16=self.dtype == torch.bfloat16,
            activation_checkpointing=False,
            use_cpu=True,
            logging_steps=1,
            report_to=[],
            save_strategy="no",
            max_length=None,
            dataset_num_proc=None,
            disable_tqdm=True,
            dataset_kwargs={"skip_prepare_dataset": True},
        )
        data = Dataset.from_list(
            [
                {
                    "input_ids": r.prompt + r.completion,
                    "labels": [-100] * len(r.prompt) + r.completion,
                }
                for r in self.rows
            ]
        )
        trainer = InOrder(model, args=config, train_dataset=data, processing_class=self.tokenizer, callbacks=[times])
        trainer.train()
        self.theirs_base = adapter.take_off(model)
        return self.rate(times.at), times.losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="the model's GGUF file")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--targets", choices=TARGETS, default="all")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--cpu-time", action="store_true", help="count CPU seconds of one thread: for a machine that others use")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    args = parser.parse_args()
    if args.cpu_time:
        torch.set_num_threads(1)
    bench = Bench(args)
    found = {"SFTTrainer": [], "plain": [], "packed": []}
    losses = {}
    for i in range(args.repeats):
        for name, run in (("packed", lambda: bench.ours("packed")), ("SFTTrainer", bench.theirs), ("plain", lambda: bench.ours("plain"))):
            rate, losses[name] = run()
            found[name].append(rate)
            print(f"repeat {i + 1}: {name:10} {rate:7.0f} tokens/{'CPU ' if args.cpu_time else ''}s   load {os.getloadavg()[0]:.1f}", flush=True)
    report(args, bench, found, losses)


def report(args, bench: Bench, found: dict, losses: dict) -> None:
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    print(f"\n{args.targets} targets, r={args.rank}, batch {args.batch}, {bench.dtype}, {torch.get_num_threads()} threads,")
    print(f"rows of {statistics.fmean(len(r) for r in bench.rows):.0f} tokens on average")
    print("step  SFTTrainer   plain      packed   loss, nats per completion token")
    for i, row in enumerate(zip(losses["SFTTrainer"], losses["plain"], losses["packed"], strict=True)):
        print(f"{i + 1:4}  {row[0]:9.4f} {row[1]:9.4f} {row[2]:9.4f}")
    for name in ("plain", "packed"):
        pairs = [a / b for a, b in zip(found[name], found["SFTTrainer"], strict=True)]
        ratio = middle[name] / middle["SFTTrainer"]
        print(f"{name}: {middle[name]:.0f} against {middle['SFTTrainer']:.0f} tokens/s, {ratio:.2f} times (by repeat {min(pairs):.2f} to {max(pairs):.2f})")
    if args.json:
        figures = {"tokens_per_s": found, "ratio": middle["packed"] / middle["SFTTrainer"], "losses": losses}
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
