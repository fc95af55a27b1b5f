#!/usr/bin/env python3
"""Writes rung tasks from public data sets that are kept outside the repository, for the end-to-end climbs of CI.

    realdata.py SHARED OUT

SHARED holds data/snips and data/squad2_dev_half; OUT gets one folder per task. The rows are read in place and sampled by
digest, so every machine climbs the same tasks.
"""

import hashlib
import json
import pathlib
import sys

SNIPS_INSTRUCTIONS = "Extract the intent and the slots of the user's request."
SQUAD_INSTRUCTIONS = "Answer the question with a few words from the encyclopedia."


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def sample(items, n, key):
    """The n items whose keys have the smallest digests: the same on every machine, in an order without meaning."""
    return sorted(items, key=lambda item: hashlib.sha256(key(item).encode()).hexdigest())[:n]


def write(folder, task, examples, **files):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(task, encoding="utf-8")
    with open(folder / "examples.jsonl", "w", encoding="utf-8") as out:
        for example in examples:
            out.write(json.dumps(example, ensure_ascii=False) + "\n")
    for name, text in files.items():
        (folder / name.replace("__", "/").replace("_json", ".json")).write_text(text, encoding="utf-8")


def snips(shared, out):
    """560 train, 40 dev and 100 held-out commands, 7 intents."""
    train = sample(rows(shared / "data/snips/train.jsonl"), 600, lambda r: r["id"])
    test = sample(rows(shared / "data/snips/test.jsonl"), 100, lambda r: r["id"])
    examples = []
    for i, row in enumerate(train + test):
        split = "train" if i < 560 else "dev" if i < 600 else "heldout"
        examples.append({"id": row["id"], "input": {"utterance": row["text"].strip()}, "output": row["gold"], "split": split})
    intents = sorted({row["intent"] for row in train})
    schema = {
        "type": "object",
        "properties": {
            "intent": {"enum": intents},
            "slots": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        },
        "required": ["intent", "slots"],
        "additionalProperties": False,
    }
    task = f"""task: assistant-commands
instructions: {SNIPS_INSTRUCTIONS}
input: {{utterance: string}}
output: {{json_schema: schema.json}}
examples: examples.jsonl
bar: {{metric: slot_f1, at_least: 0.4, min_gain: 0.02}}
models: [local/smollm2-135m]
training: {{wall: 5m}}
"""
    write(out / "snips", task, examples, schema_json=json.dumps(schema, indent=1))


def squad(shared, out):
    """300 train, 30 dev and 100 held-out answerable questions over 646 paragraphs; no paragraph straddles a split."""
    documents = rows(shared / "data/squad2_dev_half/corpus.jsonl")
    questions = [q for q in rows(shared / "data/squad2_dev_half/queries.jsonl") if not q["is_impossible"]]
    by_doc = {}
    for question in questions:
        by_doc.setdefault(question["gold_doc"], []).append(question)
    order = sample(by_doc, len(by_doc), str)
    examples, want = [], [("heldout", 100), ("dev", 30), ("train", 300)]
    for doc in order:
        while want and sum(e["split"] == want[0][0] for e in examples) >= want[0][1]:
            want.pop(0)
        if not want:
            break
        for question in by_doc[doc]:
            answers = list(dict.fromkeys(a["text"] for a in question["answers"]))
            examples.append({"id": question["query_id"], "input": {"question": question["text"]}, "output": answers[0],
                             "alternatives": answers[1:], "group": doc, "split": want[0][0]})
    folder = out / "squad" / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    for doc in documents:
        (folder / f"{doc['doc_id']}.txt").write_text(doc["text"], encoding="utf-8")
    task = f"""task: encyclopedia
instructions: {SQUAD_INSTRUCTIONS}
input: {{question: string}}
output: {{text: {{}}}}
examples: examples.jsonl
documents: [documents/*.txt]
bar: {{metric: token_f1, at_least: 0.35, min_gain: 0.02}}
models: [local/smollm2-135m]
retrieval: {{chunk_tokens: 400, k: 1}}
limits: {{max_tokens: 24}}
training: {{wall: 3m}}
"""
    write(out / "squad", task, examples)


def main():
    shared, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    snips(shared, out)
    squad(shared, out)


if __name__ == "__main__":
    main()
