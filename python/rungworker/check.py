"""Checks the packed path against plain PEFT on one batch before a job trusts it."""

from __future__ import annotations

import torch

from . import adapter, batch
from .packed import PackedModel
from .plain import PlainModel
from .protocol import Params, Row

# Largest relative difference |g_packed - g_plain| / |g_plain| over all parameters together. In bfloat16 the two round
# at different places: measured .02 to .04 on SmolLM2-135M, where plain PEFT itself is .03 from float32.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.12}


def disagreement(base, params: Params, rows: list[Row]) -> tuple[float, object]:
    """Relative difference of the two paths' gradients on rows, without dropout; and the base model, as it was."""
    model = adapter.put_on(base, params)
    trained = adapter.parameters(model)
    generator = torch.Generator().manual_seed(params.seed)
    with torch.no_grad():  # B starts at zero, and then A would have no gradient to compare
        for name, p in trained.items():
            if "lora_B" in name:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.02)
    device = next(model.parameters()).device
    plain = _gradients(PlainModel(model), batch.pad(rows, device), trained)
    fast = _gradients(PackedModel(model), batch.pack(rows, device), trained)
    gap = sum(float((f - p).square().sum()) for f, p in zip(fast, plain, strict=True))
    size = sum(float(p.square().sum()) for p in plain)
    return (gap / size) ** 0.5 if size else float("inf"), adapter.take_off(model)


def _gradients(engine, data, trained: dict) -> list[torch.Tensor]:
    for p in trained.values():
        p.grad = None
    engine.step(data, len(data.targets), train=False)
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in trained.values()]
    for p in trained.values():
        p.grad = None
    return found
