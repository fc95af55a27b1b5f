"""Finds near-duplicates of FILE with a peer: peer.py TOOL FILE prints {"seconds": ..., "removed": [ids]} as its last line.

All peers compare word 5-grams at a Jaccard threshold of .7 with 128 permutations (datatrove's own 14 buckets of 8), which is text-dedup's
and datatrove's usual setting. Seconds are from reading the file to the list of what goes; imports are not counted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

THRESHOLD = 0.7


def shingles(text: str, n: int = 5) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[i : i + n]) for i in range(max(1, len(words) - n + 1))]


def rensa(path: str) -> list[str]:
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=THRESHOLD, num_perm=128, num_bands=16)
    ids: list[str] = []
    sketches = []
    removed: list[str] = []
    with open(path, encoding="utf-8") as rows:
        for key, line in enumerate(rows):
            row = json.loads(line)
            sketch = RMinHash(num_perm=128, seed=42)
            sketch.update(shingles(row["text"]))
            ids.append(row["id"])
            sketches.append(sketch)
            if any(sketch.jaccard(sketches[other]) >= THRESHOLD for other in lsh.query(sketch)):
                removed.append(row["id"])
            else:
                lsh.insert(key, sketch)
    return removed


def datatrove(path: str) -> list[str]:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    work = tempfile.mkdtemp(prefix="rung-bench-")
    os.makedirs(f"{work}/in")
    shutil.copy(path, f"{work}/in/rows.jsonl")
    config = MinhashConfig(n_grams=5)

    def run(*steps, tasks: int = 1) -> None:
        LocalPipelineExecutor(pipeline=list(steps), tasks=tasks, workers=min(tasks, 2), logging_dir=f"{work}/logs").run()

    def reader() -> JsonlReader:
        return JsonlReader(f"{work}/in", text_key="text", id_key="id")

    run(reader(), MinhashDedupSignature(output_folder=f"{work}/signatures", config=config))
    run(MinhashDedupBuckets(input_folder=f"{work}/signatures", output_folder=f"{work}/buckets", config=config), tasks=config.num_buckets)
    run(MinhashDedupCluster(input_folder=f"{work}/buckets", output_folder=f"{work}/remove", config=config))
    gone = JsonlWriter(f"{work}/gone", compression=None)
    run(reader(), MinhashDedupFilter(input_folder=f"{work}/remove", exclusion_writer=gone))
    removed = []
    for name in os.listdir(f"{work}/gone"):
        with open(f"{work}/gone/{name}", encoding="utf-8") as rows:
            removed += [json.loads(line)["id"] for line in rows]
    shutil.rmtree(work)
    return removed


def text_dedup(path: str) -> list[str]:
    """text-dedup is a program: it is started as one. What its start alone takes (--help) is subtracted."""
    work = tempfile.mkdtemp(prefix="rung-bench-")
    shutil.copy(path, f"{work}/rows.jsonl")
    command = [sys.executable, "-m", "text_dedup.minhash", "--path", "json", "--data_files", f"{work}/rows.jsonl", "--split", "train", "--column", "text"]
    command += ["--output", f"{work}/out", "--cache_dir", f"{work}/cache", "--num_proc", "2"]
    command += ["--num_perm", "128", "--ngram", "5", "--threshold", str(THRESHOLD)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    from datasets import load_from_disk

    kept = set(load_from_disk(f"{work}/out")["id"])
    with open(path, encoding="utf-8") as rows:
        removed = [row["id"] for row in map(json.loads, rows) if row["id"] not in kept]
    shutil.rmtree(work)
    return removed


def main() -> None:
    tool, path = sys.argv[1:]
    find = {"rensa": rensa, "datatrove": datatrove, "text-dedup": text_dedup}[tool]
    __import__({"text-dedup": "text_dedup"}.get(tool, tool))
    idle = 0.0
    if tool == "text-dedup":
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "text_dedup.minhash", "--help"], check=True, stdout=subprocess.DEVNULL)
        idle = time.perf_counter() - start
    start = time.perf_counter()
    removed = find(path)
    seconds = time.perf_counter() - start - idle
    print()
    print(json.dumps({"seconds": seconds, "removed": removed}))


if __name__ == "__main__":
    main()
