"""Random models small enough for a unit test, and rows like those of a task: a shared head, then what differs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM  # noqa: E402

from rungworker.protocol import Params, Row  # noqa: E402

torch.set_num_threads(1)

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}


def tiny_llama(**changes):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES, **({"tie_word_embeddings": True} | changes)))
    return _ready(model)


def tiny_qwen2():
    """Qwen2 has biases on q, k and v, and here a head of its own."""
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=False))
    for layer in model.model.layers:
        for proj in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
            torch.nn.init.normal_(proj.bias, std=0.5)
    return _ready(model)


def _ready(model):
    with torch.no_grad():  # norms of one would hide a norm that is left out
        for name, p in model.named_parameters():
            if "norm" in name:
                p.uniform_(0.5, 1.5)
            elif p.dim() == 2:
                p.mul_(4)  # away from the linear regime
    model.requires_grad_(False)
    model.config._attn_implementation = "eager"
    return model


def params(targets=ALL, **changes) -> Params:
    values = {
        "rank": 4,
        "alpha": 8,
        "dropout": 0.0,
        "targets": tuple(targets),
        "learning_rate": 5e-3,
        "epochs": 2,
        "batch_size": 4,
        "seed": 3,
    }
    return Params(**(values | changes))


def rows(n: int, head: int = 5, seed: int = 1) -> list[Row]:
    """n rows of different lengths with a shared prompt head; the answer repeats the last three prompt tokens."""
    g = torch.Generator().manual_seed(seed)
    draw = lambda k: torch.randint(10, 90, (k,), generator=g).tolist()  # noqa: E731
    shared = draw(head)
    made = []
    for i in range(n):
        own = draw(3 + i % 4)
        made.append(Row(shared + own, own[-3:][: 1 + i % 3] + [3]))
    return made


@pytest.fixture
def smollm2() -> Path:
    """The default model's GGUF where rung has downloaded it; the test is skipped elsewhere."""
    cache = Path(os.environ.get("RUNG_CACHE") or Path.home() / ".cache" / "rung")
    found = os.environ.get("RUNG_SMOLLM2") or next(map(str, cache.rglob("SmolLM2-135M-Instruct.Q4_1.gguf")), None)
    if not found:
        pytest.skip("SmolLM2 is not in the cache: run rung setup, or set RUNG_SMOLLM2 to its GGUF file")
    return Path(found)
