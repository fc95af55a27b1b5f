"""Loads the base model: a GGUF file, dequantised, or a Hugging Face folder."""

from __future__ import annotations

import functools
import io
from contextlib import redirect_stdout
from pathlib import Path

import torch

from .protocol import Job, JobError, Row


def pick_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively, float32 elsewhere (bfloat16 would be emulated, and slower)."""
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float32": torch.float32}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    native = torch.backends.cpu.get_cpu_capability().startswith("AVX512") and _flag("avx512_bf16")
    return torch.bfloat16 if native or _flag("amx_bf16") else torch.float32


def _flag(name: str) -> bool:
    try:
        return name in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def load_base(job: Job, device: torch.device, dtype: torch.dtype):
    """The base model in ``dtype`` on ``device``, frozen, with eager attention on a CPU.

    Raises JobError ``input`` when the file is missing or damaged.
    """
    if not job.base.exists():
        raise JobError("input", "the base model is not there", "run `rung doctor`", str(job.base))
    # On a CPU the backward of the fused attention is slower than the plain one for the short rows of a task.
    attention = "eager" if device.type == "cpu" else "sdpa"
    import gguf
    from transformers import AutoModelForCausalLM, GgufConfig

    # transformers asks for the same map once per submodule; building it 400 times took most of the loading time.
    gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)
    try:
        with redirect_stdout(io.StringIO()):  # standard output carries events only
            if job.base.is_dir():
                model = AutoModelForCausalLM.from_pretrained(
                    str(job.base), dtype=dtype, attn_implementation=attention, local_files_only=True
                )
            else:
                model = AutoModelForCausalLM.from_pretrained(
                    str(job.base.parent),
                    gguf_file=job.base.name,
                    quantization_config=GgufConfig(dequantize=True),
                    dtype=dtype,
                    attn_implementation=attention,
                    local_files_only=True,
                )
    except MemoryError:
        raise
    except Exception as err:  # the loaders raise a dozen types for a damaged file
        raise JobError(
            "input", f"the base model cannot be loaded: {_first_line(err)}", "download it again", str(job.base)
        ) from err
    model.requires_grad_(False)
    return model.to(device)


def check_rows(job: Job, vocabulary: int, context: int) -> None:
    """Raise JobError ``input`` for the first row that the model cannot take."""
    for name, rows in (("train", job.train), ("dev", job.dev)):
        for i, row in enumerate(rows):
            _check_row(name, i, row, vocabulary, context)


def _check_row(name: str, i: int, row: Row, vocabulary: int, context: int) -> None:
    if len(row) > context:
        raise JobError(
            "input",
            f"{name} row {i} has {len(row)} tokens; the model's context is {context}",
            "shorten the instructions or the example",
        )
    worst = max(max(row.prompt), max(row.completion))
    if worst >= vocabulary or min(min(row.prompt), min(row.completion)) < 0:
        raise JobError(
            "input",
            f"{name} row {i} has a token id outside of the model's vocabulary of {vocabulary}",
            "make the rows with the tokenizer of the same model",
        )


def _first_line(err: Exception) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0][:300]
