"""Real-shaped training rows for the benchmark: SNIPS commands in SmolLM2's chat template, as token ids.

    python rows.py --base MODEL.gguf --data ../../../shared/data/snips --n 256 --out rows.json
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

SHORT = "Extract the intent and the slots of the user's request as JSON."
# The same with the intents and their slots spelled out, as a task with a schema in its prompt has it.
INTENTS = "Intents and their slots: {intents}. Answer with one JSON object and nothing else."


def instructions(examples: list[dict], long: bool) -> str:
    if not long:
        return SHORT
    slots: dict[str, set] = {}
    for e in examples:
        slots.setdefault(e["gold"]["intent"], set()).update(e["gold"]["slots"])
    listed = "; ".join(f"{intent}({', '.join(sorted(names))})" for intent, names in sorted(slots.items()))
    return f"{SHORT} {INTENTS.format(intents=listed)}"


def load_examples(data: Path, n: int, seed: int) -> list[dict]:
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    random.Random(seed).shuffle(lines)
    return [json.loads(line) for line in lines[:n]]


def make_rows(base: Path, data: Path, n: int, seed: int = 0, long: bool = False) -> list[dict]:
    """Rows {"prompt": ids, "completion": ids}; the completion ends with the end-of-turn token."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(base.parent), gguf_file=base.name)
    examples = load_examples(data, n, seed)
    system = instructions(load_examples(data, 2000, seed), long)
    ids = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    return [
        {
            "prompt": ids(
                f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{e['text'].strip()}<|im_end|>\n"
                "<|im_start|>assistant\n"
            ),
            "completion": ids(json.dumps(e["gold"], ensure_ascii=False) + "<|im_end|>"),
        }
        for e in examples
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", action="store_true", help="spell the intents and slots out in the instructions")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = make_rows(args.base, args.data, args.n, args.seed, args.long)
    args.out.write_text(json.dumps(rows), encoding="utf-8")
    total = sum(len(r["prompt"]) + len(r["completion"]) for r in rows)
    print(f"{len(rows)} rows, {total} tokens, {total / len(rows):.0f} per row")


if __name__ == "__main__":
    main()
