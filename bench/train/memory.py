"""Peak memory of one training step, by path, targets and row length: what the constants of EstimateMemory come from.

    python memory.py --base MODEL.gguf

Prints the resident set above the loaded model, in MiB and per position of the padded batch. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import torch  # noqa: E402
from rungworker import base  # noqa: E402
from rungworker.learner import Learner, Schedule  # noqa: E402
from rungworker.protocol import Job, Params, Row  # noqa: E402

TARGETS = {
    "qv": ("q_proj", "v_proj"),
    "all": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}


def status(key: str) -> float:
    """A field of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


def forget_peak() -> None:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def row(length: int, i: int) -> Row:
    """A third of the prompt is shared, the last quarter is the completion."""
    ids = [100 + (j * 37 + (0 if j < length // 3 else 1000 * i)) % 40000 for j in range(length)]
    return Row(ids[: 3 * length // 4], ids[3 * length // 4 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--lengths", type=int, nargs="+", default=[80, 300, 1000])
    args = parser.parse_args()
    print(f"after imports {status('VmRSS'):.0f} MiB")
    device = torch.device("cpu")
    model = base.load_base(Job("", args.base, [], [], [], 1, 1, Path()), device, base.pick_dtype("auto", device))
    print(f"after loading {status('VmRSS'):.0f} MiB, peak {status('VmHWM'):.0f} MiB")
    for length in args.lengths:
        for targets in TARGETS:
            for path in ("packed", "plain"):
                params = Params(16, 16, 0.05, TARGETS[targets], 1e-3, 1, 4, 1)
                learner = Learner(model, params, [row(length, i) for i in range(8)], 1, path == "packed")
                forget_peak()
                before = status("VmRSS")
                learner.step(Schedule(1e-3))
                learner.step(Schedule(1e-3))
                used = status("VmHWM") - before
                model = learner.release()
                print(f"4 rows of {length:5} tokens, {targets:3}, {path:6}: {used:6.0f} MiB, {used / 4 / length:.2f} MiB per position")


if __name__ == "__main__":
    main()
