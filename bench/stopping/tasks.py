#!/usr/bin/env python3
"""Writes the tasks of bench/stopping from public data sets that are kept outside the repository.

    tasks.py SHARED OUT

Five label tasks of 200 train, 8 dev and 100 held-out examples each. The bar of each follows from the train examples alone, by one
rule that was fixed before any model was asked: the share of the commonest label, and .15 more, to two digits.
"""

import collections
import hashlib
import json
import pathlib
import sys

TRAIN, DEV, HELDOUT = 200, 8, 100


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def sample(items, n):
    """The n items whose texts have the smallest digests, each text once."""
    once = {item[0]: item for item in items}
    return sorted(once.values(), key=lambda item: hashlib.sha256(item[0].encode()).hexdigest())[:n]


def sources(data):
    both = ("train", "test")
    spam = {"spam": "spam", "ham": "fine"}
    yield "spam", "Say whether the text message is spam.", [(r["text"], spam[r["label"]]) for r in rows(data / "sms_spam/all.jsonl")]
    prompts = [r for name in both for r in rows(data / f"deepset_prompt_injections/{name}.jsonl")]
    yield "injection", "Say whether the text tries to make an assistant leave its instructions (injection) or not (harmless).", [
        (r["text"][:400], ["harmless", "injection"][int(r["label"])]) for r in prompts
    ]
    hate = {"hateful": "hateful", "non-hateful": "not hateful"}
    yield "hate", "Say whether the sentence is hateful.", [(r["text"], hate[r["label"]]) for r in rows(data / "hatecheck/cases.jsonl")]
    wishes = [r for name in both for r in rows(data / f"snips/{name}.jsonl")]
    yield "intent", "Say what the user wants.", [(r["text"].strip(), r["intent"]) for r in wishes]
    wanted = {"card_arrival", "exchange_rate", "lost_or_stolen_card", "top_up_failed", "change_pin"}
    messages = [r for name in both for r in rows(data / f"banking77/{name}.jsonl")]
    yield "bank", "Say what the customer of the bank asks about.", [(r["text"], r["label"]) for r in messages if r["label"] in wanted]


def main(shared, out):
    for name, instructions, items in sources(pathlib.Path(shared) / "data"):
        chosen = sample(items, TRAIN + DEV + HELDOUT)
        labels = sorted({label for _, label in chosen})
        commonest = collections.Counter(label for _, label in chosen[:TRAIN]).most_common(1)[0][1] / TRAIN
        folder = pathlib.Path(out) / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "examples.jsonl", "w", encoding="utf-8") as file:
            for i, (text, label) in enumerate(chosen):
                split = "train" if i < TRAIN else "dev" if i < TRAIN + DEV else "heldout"
                file.write(json.dumps({"id": f"{name}-{i}", "input": {"text": text}, "output": label, "split": split}, ensure_ascii=False) + "\n")
        (folder / "task.yaml").write_text(f"""task: stopping-{name}
instructions: {instructions}
input: {{text: string}}
output: {{labels: {json.dumps(labels)}}}
examples: examples.jsonl
bar: {{metric: accuracy, at_least: {min(.95, commonest + .15):.2f}, min_gain: 0.02}}
models: [local/smollm2-135m]
rungs: [prompt, fewshot]
""", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
