"""LoRA adapters: put on the base model by PEFT, saved for PEFT, and written as GGUF for llama.cpp."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer

from .protocol import JobError, Params

# Names of a block's tensors in GGUF, by the names of the modules in transformers.
TENSORS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
# GGUF architecture by model_type, for those whose blocks have the names above.
ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma2": "gemma2"}
_MODULE = re.compile(r"layers\.(\d+)\.(\w+\.\w+)$")


def architecture(config) -> str:
    """The GGUF architecture of a model; JobError ``unsupported`` when its adapters cannot be served."""
    name = ARCHITECTURES.get(config.model_type)
    if name is None:
        raise JobError(
            "unsupported",
            f"adapters for the architecture {config.model_type} cannot be written as GGUF",
            f"use a base model of one of these: {', '.join(sorted(ARCHITECTURES))}",
        )
    return name


def put_on(base, params: Params):
    """A PEFT model of the base with fresh adapters: A random from the seed, B zero, both float32."""
    known = {name.rsplit(".", 1)[-1] for name in TENSORS}
    if strange := sorted(set(params.targets) - known):
        raise JobError("input", f"unknown target modules: {', '.join(strange)}", f"use some of {', '.join(sorted(known))}")
    torch.manual_seed(params.seed)
    config = LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules=sorted(params.targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, config)


def take_off(peft_model):
    """The base model again, as it was."""
    return peft_model.unload()


def parameters(peft_model) -> dict[str, torch.nn.Parameter]:
    """The trained parameters by name, in a fixed order."""
    return {n: p for n, p in sorted(peft_model.named_parameters()) if p.requires_grad}


def save_peft(peft_model, folder: Path) -> None:
    """Write the adapter as PEFT does (adapter_model.safetensors, adapter_config.json)."""
    peft_model.save_pretrained(str(folder), save_embedding_layers=False)


def write_gguf(peft_model, params: Params, path: Path) -> str:
    """Write the adapter as GGUF, float32, without anything that changes between runs; give its SHA-256."""
    causal = peft_model.get_base_model()
    arch = architecture(causal.config)
    tmp = path.with_name(path.name + ".tmp")
    writer = gguf.GGUFWriter(tmp, arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(params.alpha))
    for name, a, b in _factors(causal, arch):
        writer.add_tensor(f"{name}.weight.lora_a", a)
        writer.add_tensor(f"{name}.weight.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tmp.replace(path)
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _factors(causal, arch: str):
    """(GGUF name, A [r, in], B [out, r]) of each adapted module, by block."""
    config = causal.config
    found = []
    for name, module in causal.named_modules():
        if not isinstance(module, LoraLayer) or not (m := _MODULE.search(name)):
            continue
        a, b = (getattr(module, x)["default"].weight.detach().float().cpu().numpy() for x in ("lora_A", "lora_B"))
        if arch == "llama" and m[2] == "self_attn.q_proj":
            b = interleave(b, config.num_attention_heads)
        elif arch == "llama" and m[2] == "self_attn.k_proj":
            b = interleave(b, config.num_key_value_heads)
        found.append((int(m[1]), f"blk.{m[1]}.{TENSORS[m[2]]}", a, np.ascontiguousarray(b)))
    for _, name, a, b in sorted(found, key=lambda f: (f[0], f[1])):
        yield name, a, b


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q or k in llama.cpp's order: its rotation pairs neighbours, that of transformers pairs the two halves."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)
