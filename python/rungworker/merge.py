"""Merges an adapter into its base model and writes a Hugging Face folder: ``python -m rungworker merge JOB.json``."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .protocol import VERSION, JobError, Speaker

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Merge:
    base: Path  # a GGUF file or a Hugging Face folder
    peft: Path  # PEFT's folder
    out: Path  # made; must not hold a model yet
    dtype: str = "bfloat16"  # of the written weights; the merging itself is done in float32


def read_merge(path: Path) -> Merge:
    """Read and check a job file. Raises JobError."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.get("v") != VERSION:
            raise JobError("internal", f"the job file has version {raw.get('v')!r}, this worker speaks {VERSION}")
        job = Merge(Path(raw["base"]), Path(raw["peft"]), Path(raw["out"]), str(raw.get("dtype", "bfloat16")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise JobError("internal", f"the job file cannot be read: {err}", place=str(path)) from err
    if job.dtype not in DTYPES:
        raise JobError("usage", f"there is no number format {job.dtype}", f"use one of {', '.join(DTYPES)}")
    if (job.out / "config.json").exists():
        raise JobError("conflict", "holds a model already", "name another directory", str(job.out))
    return job


def run(job: Merge, speaker: Speaker) -> dict:
    """Merge and write; what is at ``out`` is whole. The result names the files and the number of merged modules."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    speaker.say("progress", phase="load")
    import torch
    import transformers
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    from . import base

    transformers.utils.logging.disable_progress_bar()
    model = base.load_base(job, torch.device("cpu"), torch.float32)
    try:
        merged = PeftModel.from_pretrained(model, str(job.peft), local_files_only=True)
    except Exception as err:  # PEFT raises a dozen types for a folder that does not fit
        what = f"the adapter does not fit the base model: {(str(err).strip().splitlines() or [type(err).__name__])[0][:300]}"
        raise JobError("input", what, "use the base model that it was trained on", str(job.peft)) from err
    modules = sum(isinstance(m, LoraLayer) for m in merged.modules())
    merged = merged.merge_and_unload(safe_merge=True)
    speaker.say("progress", phase="write")
    part = job.out.with_name(job.out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    merged.to(getattr(torch, job.dtype)).save_pretrained(str(part), safe_serialization=True)
    if not _tokenizer(job.base, part):
        speaker.note("the tokenizer could not be written; take it from the published base model")
    job.out.mkdir(parents=True, exist_ok=True)
    for file in sorted(part.iterdir()):
        os.replace(file, job.out / file.name)
    part.rmdir()
    return {"modules": modules, "files": sorted(f.name for f in job.out.iterdir())}


def _tokenizer(source: Path, out: Path) -> bool:
    from transformers import AutoTokenizer

    try:
        if source.is_dir():
            tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True)
        else:
            tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name, local_files_only=True)
        tokenizer.save_pretrained(str(out))
    except Exception:  # noqa: BLE001 - a model without a usable tokenizer is still a model; the caller is told
        return False
    return True
