"""Writes internal/govern/spdx.txt, the identifiers of the SPDX licence list, from npm's spdx-license-ids and spdx-exceptions.

Run it where npm is, to take a newer list: python3 scripts/spdx.py
"""

import json
import pathlib
import subprocess
import tarfile
import tempfile

LICENCES, EXCEPTIONS = "spdx-license-ids@3.0.24", "spdx-exceptions@2.5.0"
OUT = pathlib.Path(__file__).parent.parent / "internal" / "govern" / "spdx.txt"


def lists(package: str, into: str) -> dict[str, list[str]]:
    """The lists of identifiers that a package holds, by the name of the file."""
    run = subprocess.run(["npm", "pack", "--silent", package], cwd=into, check=True, capture_output=True, text=True, timeout=120)
    with tarfile.open(pathlib.Path(into) / run.stdout.split()[-1]) as tar:
        found = {}
        for name in ("index", "deprecated"):
            try:
                member = tar.extractfile(f"package/{name}.json")
            except KeyError:
                continue
            assert member is not None
            found[name] = sorted(json.load(member))
        return found


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        licences, exceptions = lists(LICENCES, work), lists(EXCEPTIONS, work)
    lines = [f"# SPDX licence list, from {LICENCES} (CC0-1.0) and {EXCEPTIONS} (CC-BY-3.0), which take it from spdx.org/licenses.",
             "# A line is an identifier; deprecated ones have a - in front, exceptions a +. Made by scripts/spdx.py."]
    lines += licences["index"] + ["-" + name for name in licences["deprecated"]] + ["+" + name for name in exceptions["index"]]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
