"""What plain Python takes: sets.py read FILE (its rows alone), exact FILE (a set of texts), grams FILE EVAL (sets of 8- and 13-grams). Prints seconds."""

from __future__ import annotations

import json
import re
import sys
import time


def texts(path: str) -> list[str]:
    with open(path, encoding="utf-8") as rows:
        return [json.loads(line)["text"] for line in rows]


def grams(text: str, n: int) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}


def main() -> None:
    start = time.perf_counter()
    if sys.argv[1] == "read":
        found = len(texts(sys.argv[2]))
    elif sys.argv[1] == "exact":
        found = 0
        seen: set[str] = set()
        for text in texts(sys.argv[2]):
            found += text in seen
            seen.add(text)
    else:
        items: set[str] = set()
        for text in texts(sys.argv[3]):
            items |= grams(text, 8) | grams(text, 13)
        found = sum(1 for text in texts(sys.argv[2]) if (grams(text, 8) | grams(text, 13)) & items)
    print(json.dumps({"seconds": time.perf_counter() - start, "found": found}))


if __name__ == "__main__":
    main()
