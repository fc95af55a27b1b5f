#!/usr/bin/env python3
"""Fetch the function-calling cases of the Berkeley Function Calling Leaderboard and write them as examples.jsonl.

The cases come from the PyPI wheel bfcl-eval (Apache-2.0), pinned by version and SHA-256. Nothing of it is kept in the
repository. Standard library only; pip does the download.

    python3 prepare.py [--out examples.jsonl] [--wheel FILE] [--max-chars 700]
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAME, VERSION = "bfcl-eval", "2026.3.23"
SHA256 = "3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a"
WHEEL = "bfcl_eval-2026.3.23-py3-none-any.whl"

# One request, one function to call. "simple" offers one function, "multiple" several.
SETS = ("simple_python", "multiple", "live_simple")

# JSON Schema's names for the types of the cases, which use Python's.
TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array", "any": None}

MAX_ALTERNATIVES = 16
DOWNLOAD_SECONDS = 300


def main() -> None:
    args = arguments()
    wheel = args.wheel or download(Path(__file__).resolve().parent / ".cache")
    check(wheel)
    rows, dropped = convert(wheel, args.max_chars)
    write(args.out, rows)
    print(f"{args.out}: {len(rows)} examples", file=sys.stderr)
    for reason, count in sorted(dropped.items()):
        print(f"  left out: {count} ({reason})", file=sys.stderr)


def arguments() -> argparse.Namespace:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=here / "examples.jsonl", help="file to write (default: beside this script)")
    parser.add_argument("--wheel", type=Path, help="the wheel, where it was downloaded before")
    parser.add_argument("--max-chars", type=int, default=700,
                        help="leave out cases whose functions and request are longer than this in characters (default 700, "
                        "about 200 tokens: a small model on a CPU reads and learns that in reasonable time)")
    return parser.parse_args()


def download(folder: Path) -> Path:
    """Fetch the wheel with pip, which checks the hash too; a wheel that is there already is used as it is."""
    wheel = folder / WHEEL
    if wheel.exists() and digest(wheel) == SHA256:
        return wheel
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text(f"{NAME}=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                   "--disable-pip-version-check", "--require-hashes", "--requirement", str(pins), "--dest", str(folder)]
        try:
            subprocess.run(command, check=True, timeout=DOWNLOAD_SECONDS)
        except subprocess.CalledProcessError as e:
            sys.exit(f"prepare.py: pip could not download {NAME}=={VERSION} (exit status {e.returncode}); "
                     "check the connection to the package index, or give the wheel with --wheel FILE")
        except subprocess.TimeoutExpired:
            sys.exit(f"prepare.py: the download took longer than {DOWNLOAD_SECONDS} s; run it again")
    return wheel


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(wheel: Path) -> None:
    if not wheel.is_file():
        sys.exit(f"prepare.py: {wheel} is not there")
    if digest(wheel) != SHA256:
        sys.exit(f"prepare.py: {wheel} is not the pinned wheel (its SHA-256 differs); delete it and run this again")


def convert(wheel: Path, max_chars: int) -> tuple[list[dict], dict[str, int]]:
    """Turn the cases of all sets into examples; count what is left out, by reason."""
    rows, dropped, seen = [], {}, set()
    with zipfile.ZipFile(wheel) as z:
        for name in SETS:
            answers = {a["id"]: a["ground_truth"] for a in lines(z, f"bfcl_eval/data/possible_answer/BFCL_v4_{name}.json")}
            for case in lines(z, f"bfcl_eval/data/BFCL_v4_{name}.json"):
                row, reason = example(case, answers[case["id"]], max_chars)
                if not reason and (key := json.dumps(row["input"], sort_keys=True)) in seen:
                    reason = "the same request with the same functions came before"
                if reason:
                    dropped[reason] = dropped.get(reason, 0) + 1
                    continue
                seen.add(key)
                rows.append(row)
    return rows, dropped


def lines(z: zipfile.ZipFile, member: str):
    with z.open(member) as f:
        for line in f:
            if line.strip():
                yield json.loads(line)


def example(case: dict, truth: list, max_chars: int) -> tuple[dict, str]:
    """One example, or the reason why the case makes none."""
    messages = [m for turn in case["question"] for m in turn]
    if len(messages) != 1 or len(truth) != 1:
        return {}, "more than one message or call"
    request = messages[0]["content"].strip()
    functions = [function(f) for f in case["function"]]
    if len(request) + len(compact(functions)) > max_chars:
        return {}, f"longer than {max_chars} characters"
    (name, accepted), = truth[0].items()
    schema = next((f["parameters"] for f in functions if f["name"] == name), None)
    if schema is None:
        return {}, "the answer names no function of the case"
    calls = [{"name": name, "arguments": a} for a in answers(accepted, schema, request)]
    if not calls:
        return {}, "no accepted answer keeps to the types of its function"
    row = {"id": case["id"], "input": {"request": request, "functions": functions}, "output": calls[0]}
    if calls[1:]:
        row["alternatives"] = calls[1:]
    row["group"] = name
    return row, ""


def function(f: dict) -> dict:
    return {"name": f["name"], "description": f["description"], "parameters": json_schema(f["parameters"])}


def json_schema(s):
    """The schema with JSON Schema's type names, and without what says nothing."""
    if isinstance(s, list):
        return [json_schema(x) for x in s]
    if not isinstance(s, dict):
        return s
    out = {}
    for key, value in s.items():
        if key == "properties" and isinstance(value, dict):
            out[key] = {name: json_schema(p) for name, p in value.items()}
        elif key == "type" and isinstance(value, str):
            if (known := TYPES.get(value, value)) is not None:
                out[key] = known
        elif key in ("items", "required", "enum", "description", "additionalProperties"):
            out[key] = json_schema(value)
        elif key == "default":
            out[key] = value
    return out


def answers(accepted: dict, schema: dict, request: str) -> list[dict]:
    """The accepted combinations of arguments, the likeliest first, at most 1 + MAX_ALTERNATIVES.

    An argument that may be left out ("" is among its accepted values) is left out first, unless the request names its value.
    Combinations follow by how many arguments differ from the first one.
    """
    properties, required = schema.get("properties", {}), schema.get("required", [])
    names = [n for n in properties if n in accepted]  # the schema's order
    if len(names) != len(accepted):
        return []
    choices = [options(accepted[n], properties[n], n in required, request) for n in names]
    if not all(choices):
        return []
    out = []
    for picks in nearest_first([len(c) for c in choices]):
        call = {n: c[i] for n, c, i in zip(names, choices, picks) if c[i] is not LEFT_OUT}
        if fits(call, schema) and call not in out:
            out.append(call)
        if len(out) > MAX_ALTERNATIVES:
            break
    return out


LEFT_OUT = object()


def options(accepted: list, schema: dict, required: bool, request: str) -> list:
    """The values that one argument may have, the likeliest first."""
    values = []
    for a in accepted:
        if a != "":
            values.extend(v for v in concrete(a, schema) if fits(v, schema) and v not in values)
    if "" not in accepted or required:
        return values
    named = [v for v in values if isinstance(v, str) and v.lower() in request.lower()]
    rest = [v for v in values if v not in named]
    return named + [LEFT_OUT] + rest


def concrete(a, schema: dict) -> list:
    """The values that an accepted value stands for. Inside objects, every property again has a list of accepted values."""
    kind = schema.get("type")
    if kind == "object" and isinstance(a, dict):
        properties = schema.get("properties", {})
        keys = sorted(a, key=lambda k: list(properties).index(k) if k in properties else len(properties))
        lists = [[LEFT_OUT if v == "" else v for v in a[k]] if isinstance(a[k], list) else [a[k]] for k in keys]
        picks = itertools.islice(itertools.product(*lists), MAX_ALTERNATIVES)
        return [{k: number(v) for k, v in zip(keys, p) if v is not LEFT_OUT} for p in picks]
    if kind == "array" and isinstance(a, list) and a and all(isinstance(x, dict) for x in a):
        each = [concrete(x, {"type": "object", **schema.get("items", {})}) for x in a]
        return [list(p) for p in itertools.islice(itertools.product(*each), MAX_ALTERNATIVES)]
    return [number(a)]


def number(v):
    """JSON writes 5.0 as 5, as the request does."""
    if isinstance(v, float) and v.is_integer():
        return int(v)
    if isinstance(v, list):
        return [number(x) for x in v]
    return v


KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


def fits(v, schema: dict) -> bool:
    """Whether a value keeps to a schema, as far as the schemas of the cases go: types, enums, items and properties."""
    kind = schema.get("type")
    if kind in KINDS and (not isinstance(v, KINDS[kind]) or isinstance(v, bool) != (kind == "boolean")):
        return False
    if "enum" in schema and v not in schema["enum"]:
        return False
    if isinstance(v, list):
        return all(fits(x, schema.get("items", {})) for x in v)
    if isinstance(v, dict):
        properties = schema.get("properties", {})
        return all(n in v for n in schema.get("required", [])) and all(fits(x, properties.get(n, {})) for n, x in v.items())
    return True


def nearest_first(sizes: list[int]):
    """Index tuples below sizes: first all zeros, then those with one index changed, then two, three."""
    yield (0,) * len(sizes)
    for changed in range(1, min(len(sizes), 3) + 1):
        for places in itertools.combinations(range(len(sizes)), changed):
            for picks in itertools.product(*(range(1, sizes[p]) for p in places)):
                indices = [0] * len(sizes)
                for place, pick in zip(places, picks):
                    indices[place] = pick
                yield tuple(indices)


def compact(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write(path: Path, rows: list[dict]) -> None:
    """Write beside the target and rename, so that an interrupted run leaves no half file."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as f:
        for row in rows:
            f.write(compact(row) + "\n")
    os.replace(partial, path)


if __name__ == "__main__":
    main()
