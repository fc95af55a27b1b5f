"""The parts of the packed path that are not matrix products: norms, rotation, softmax, the gated activation."""

from __future__ import annotations

import torch
from torch import Tensor


def rms(x: Tensor, weight: Tensor, eps: float, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Root-mean-square norm of x [T, H] in float32; also 1/rms, float32 [T, 1], for the backward."""
    wide = x.float()
    rstd = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    normed = weight * (wide * rstd).to(x.dtype)
    if out is None:
        return normed, rstd
    return out.copy_(normed), rstd


def rms_back(dy: Tensor, x: Tensor, weight: Tensor, rstd: Tensor) -> Tensor:
    """dx = rstd · (g - x̂ · mean(g · x̂)), g = dy · weight, x̂ = x · rstd."""
    g, xhat = dy.float() * weight.float(), x.float() * rstd
    return ((g - xhat * (g * xhat).mean(-1, keepdim=True)) * rstd).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Rotary position embedding of x [heads, T, D] in place; cos and sin are [T, D/2]. Minus sin undoes it."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    rotated = first * cos - second * sin
    second.mul_(cos).add_(first * sin)
    first.copy_(rotated)


def causal_softmax(scores: Tensor, own: int, scale: float) -> Tensor:
    """Softmax of scale · scores [kv, g·own, L], where query i of a row's own part sees L - own + i + 1 keys."""
    n, _, length = scores.shape
    by_query = scores.view(n, -1, own, length).mul_(scale)
    hidden = torch.ones(own, own, dtype=torch.bool, device=scores.device).triu_(1)
    by_query[..., length - own :].masked_fill_(hidden, float("-inf"))
    return torch.softmax(scores, -1)


def softmax_back(dp: Tensor, p: Tensor, scale: float) -> Tensor:
    """scale · p · (dp - Σ dp · p)."""
    return torch.ops.aten._softmax_backward_data(dp, p, -1, p.dtype).mul_(scale)


def silu_mul(gu: Tensor, out: Tensor) -> None:
    """out = silu(gate) · up for gu = [gate | up], [T, 2I]."""
    gate, up = gu.chunk(2, -1)
    torch.mul(torch.nn.functional.silu(gate), up, out=out)


def silu_mul_back(da: Tensor, gu: Tensor) -> Tensor:
    """Gradient with respect to [gate | up]."""
    gate, up = gu.chunk(2, -1)
    grad = torch.empty_like(gu)
    sig = torch.sigmoid(gate)
    act = gate * sig
    torch.mul(da, act, out=grad[:, gate.shape[1] :])
    # d silu = sig + act · (1 - sig)
    torch.mul(da * up, torch.addcmul(sig, act, 1 - sig), out=grad[:, : gate.shape[1]])
    return grad
