"""Makes internal/datacheck/languages.gz, the n-grams by which languages are told apart, from the profiles of langdetect 1.0.9.

The profiles are counts of 1-, 2- and 3-grams of characters over Wikipedia abstracts, Apache-2.0, copyright 2014-2015 Michal Danilak
(port of language-detection, copyright 2010-2014 Cybozu Labs). Kept are the commonest of each language in lower case.

    pip download langdetect==1.0.9 --no-deps --no-binary :all:   # and unpack it
    python bench/data/lang/profiles.py langdetect-1.0.9/langdetect/profiles internal/datacheck/languages.gz

The file: for each script a line "# SCRIPT lang lang …", then a line per n-gram: the n-gram, a tab, and for each language that has it
its place in that list ('0' on) and minus five times the natural logarithm of its share among n-grams of that length (' ' on, at most 93).
"""

import collections
import gzip
import json
import math
import os
import sys

KEPT = {1: 100, 2: 600, 3: 600}
SCRIPTS = {
    "Latin": "af ca cs cy da de en es et fi fr hr hu id it lt lv nl no pl pt ro sk sl so sq sv sw tl tr vi",
    "Cyrillic": "bg mk ru uk",
    "Arabic": "ar fa ur",
    "Devanagari": "hi mr ne",
}


def script(char):
    code = ord(char)
    if code < 0x250 or 0x1E00 <= code < 0x1F00:
        return "Latin"
    if 0x400 <= code < 0x530:
        return "Cyrillic"
    if 0x600 <= code < 0x780 or 0xFB50 <= code < 0xFE00 or 0xFE70 <= code < 0xFEFF:
        return "Arabic"
    if 0x900 <= code < 0x980:
        return "Devanagari"
    return ""


def common(path, wanted):
    """The commonest n-grams of a profile in one script, with their shares."""
    with open(path, encoding="utf-8") as file:
        profile = json.load(file)
    counts = collections.Counter()
    for gram, count in profile["freq"].items():
        low = gram.lower()
        if len(low) == len(gram) and low.strip() and all(c == " " or script(c) == wanted for c in low):
            counts[low] += count
    kept = {}
    for length, number in KEPT.items():
        of_length = sorted((-n, g) for g, n in counts.items() if len(g) == length)
        for n, gram in of_length[:number]:
            kept[gram] = -n / profile["n_words"][length - 1]
    return kept


def main():
    profiles, out = sys.argv[1:]
    lines = []
    for name, languages in SCRIPTS.items():
        lines.append(f"# {name} {languages}")
        grams = collections.defaultdict(str)
        for place, language in enumerate(languages.split()):
            for gram, share in sorted(common(os.path.join(profiles, language), name).items()):
                grams[gram] += chr(ord("0") + place) + chr(ord(" ") + min(93, round(-5 * math.log(share))))
        lines.extend(f"{gram}\t{grams[gram]}" for gram in sorted(grams))
    with open(out, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write("\n".join(lines).encode())


if __name__ == "__main__":
    main()
