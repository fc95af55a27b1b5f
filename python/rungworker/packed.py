"""The fast path: forward and backward of a llama-like model over one packed batch, written out by hand.

It computes the same mathematics as the PEFT model whose parameters it reads and whose gradients it fills, with less work:
the shared prompt head once per batch, no padding, logits only where a completion token is predicted, the projections
that read the same input (and their adapters) as one matrix product, and no autograd graph. ``tests/test_gradients.py``
holds it to PEFT's gradients; a job also checks one batch before it trusts it (see ``check.py``).

Shapes: T positions, H hidden size, D head size, R the ranks of a group's adapters together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import pointwise as pw
from .batch import Packed

SUPPORTED = ("llama", "mistral", "qwen2")


def why_not(config) -> str:
    """Why a model of this configuration cannot take the packed path; empty when it can."""
    if config.model_type not in SUPPORTED:
        return f"the packed path does not know the architecture {config.model_type}"
    if getattr(config, "hidden_act", "silu") != "silu":
        return f"the packed path does not know the activation {config.hidden_act}"
    if getattr(config, "attention_dropout", 0):
        return "the packed path has no attention dropout"
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return "the packed path has no sliding window"
    if config.rope_parameters.get("rope_type", "default") not in ("default", "linear", "llama3"):
        return "the packed path does not know this rotary scaling"
    return ""


@dataclass
class _Slot:
    """One adapted projection of a group: its rows of the output, its columns of the adapter space, its parameters."""

    rows: slice
    ranks: slice
    a: Tensor  # float32 [r, in]
    b: Tensor  # float32 [out, r]
    scale: float


class Group:
    """Projections that read the same input x [T, I], as one product with the adapters' B alongside the frozen weights.

    ``joined`` is [W | B], [O, I+R]; an input buffer holds [x | z] with z = scale · dropout(x) · Aᵀ, so that one product
    gives the base and the adapters' part, and one product gives their gradients.
    """

    def __init__(self, modules: list):
        bases = [getattr(m, "base_layer", m) for m in modules]
        self.inputs = bases[0].in_features
        self.outputs = sum(b.out_features for b in bases)
        self.slots: list[_Slot] = []
        self.dropout = 0.0
        row = rank = 0
        for module, base in zip(modules, bases, strict=True):
            if hasattr(module, "lora_A") and "default" in module.lora_A:
                a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
                ranks = slice(rank, rank + a.shape[0])
                self.slots.append(_Slot(slice(row, row + base.out_features), ranks, a, b, module.scaling["default"]))
                self.dropout = float(getattr(module.lora_dropout["default"], "p", 0.0))
                rank += a.shape[0]
            row += base.out_features
        self.ranks = rank
        self._join(bases)

    def _join(self, bases: list) -> None:
        like = bases[0].weight
        self.joined = torch.zeros(self.outputs, self.inputs + self.ranks, dtype=like.dtype, device=like.device)
        self.down = torch.zeros(self.ranks, self.inputs, dtype=like.dtype, device=like.device)
        self.bias = None
        if any(b.bias is not None for b in bases):
            self.bias = torch.cat([b.bias if b.bias is not None else like.new_zeros(b.out_features) for b in bases])
        row = 0
        for base in bases:
            view = self.joined[row : row + base.out_features, : self.inputs]
            view.copy_(base.weight)
            base.weight.data = view  # one copy of the weights in memory, not two
            row += base.out_features

    def refresh(self) -> None:
        """Read the adapters' parameters, after a step changed them."""
        for s in self.slots:
            self.joined[s.rows, self.inputs + s.ranks.start : self.inputs + s.ranks.stop] = s.b.data
            self.down[s.ranks] = s.a.data * s.scale

    def buffer(self, rows: int) -> Tensor:
        """An empty input buffer [rows, I+R]; the first I columns are for x."""
        return self.joined.new_empty(rows, self.inputs + self.ranks)

    def forward(self, xz: Tensor, mask: Tensor | None) -> Tensor:
        """Fill the z part of xz and give the outputs [T, O]. ``mask`` is dropout's, already divided by 1 - p."""
        if self.slots:
            x = xz[:, : self.inputs]
            torch.mm(x if mask is None else x * mask, self.down.t(), out=xz[:, self.inputs :])
        return torch.nn.functional.linear(xz, self.joined, self.bias)

    def backward(self, dy: Tensor, xz: Tensor, mask: Tensor | None, need_dx: bool = True) -> Tensor | None:
        """Add the adapters' gradients to their ``grad`` and give dx [T, I]."""
        if not self.slots:
            return dy @ self.joined if need_dx else None
        x, z = xz[:, : self.inputs], xz[:, self.inputs :]
        dxz = dy @ (self.joined if need_dx else self.joined[:, self.inputs :])
        dz = dxz[:, -self.ranks :]
        da = dz.t() @ (x if mask is None else x * mask)
        for s in self.slots:
            _add_grad(s.a, da[s.ranks], s.scale)
            _add_grad(s.b, dy[:, s.rows].t() @ z[:, s.ranks], 1.0)
        if not need_dx:
            return None
        dx = dxz[:, : self.inputs]
        if mask is None:
            return torch.addmm(dx, dz, self.down)
        return dx.addcmul_(dz @ self.down, mask)


def _add_grad(param: Tensor, grad: Tensor, scale: float) -> None:
    if param.grad is None:
        param.grad = torch.zeros_like(param)
    param.grad.add_(grad, alpha=scale)


class PackedModel:
    """Computes loss and gradients of a PEFT model over packed batches."""

    def __init__(self, peft_model):
        causal = peft_model.get_base_model()
        self.config, self.core = causal.config, causal.model
        c = self.config
        self.heads, self.kv = c.num_attention_heads, c.num_key_value_heads
        self.size = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
        self.eps = c.rms_norm_eps
        self.head = causal.lm_head.weight
        self.layers = [_Layer(layer) for layer in self.core.layers]

    def loss(self, batch: Packed) -> float:
        """Sum of the losses of the completion tokens, in nats; no gradients, no dropout."""
        self._refresh()
        with torch.no_grad():
            x, _ = self._forward(batch, train=False)
            normed, _ = pw.rms(x[batch.at], self.core.norm.weight, self.eps)
            total, _ = _head(normed, self.head, batch.targets, 0.0)
        return total

    def step(self, batch: Packed, count: int, train: bool = True) -> float:
        """Add the gradients of (sum of losses / count) to the adapters; give the sum of losses, in nats.

        ``train`` switches dropout on.
        """
        self._refresh()
        with torch.no_grad():
            x, saved = self._forward(batch, train, keep=True)
            picked = x[batch.at]
            normed, rstd = pw.rms(picked, self.core.norm.weight, self.eps)
            total, dnormed = _head(normed, self.head, batch.targets, 1.0 / count)
            dx = torch.zeros_like(x)
            dx[batch.at] = pw.rms_back(dnormed, picked, self.core.norm.weight, rstd)
            self._backward(batch, dx, saved)
        return total

    def _refresh(self) -> None:
        for layer in self.layers:
            for group in layer.groups:
                group.refresh()

    def _rotation(self, batch: Packed, like: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = self.core.rotary_emb(like, batch.positions[None])
        half = self.size // 2
        return cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous()

    def _forward(self, batch: Packed, train: bool, keep: bool = False) -> tuple[Tensor, list]:
        x = self.core.embed_tokens.weight[batch.ids]
        self.cos, self.sin = self._rotation(batch, x)
        saved = []
        for layer in self.layers:
            x, kept = self._layer(layer, x, batch, train)
            if keep:
                saved.append(kept)
        return x, saved

    def _layer(self, layer: _Layer, x: Tensor, batch: Packed, train: bool) -> tuple[Tensor, tuple]:
        t = x.shape[0]
        masks = [d.mask(t) if train else None for d in layer.dropouts]
        h1 = layer.qkv.buffer(t)
        _, r1 = pw.rms(x, layer.norm1, self.eps, out=h1[:, : layer.qkv.inputs])
        q, k, v = self._split(layer.qkv.forward(h1, masks[0]))
        ao = layer.o.buffer(t)
        probs = self._attend(q, k, v, batch, ao[:, : layer.o.inputs])
        mid = x + layer.o.forward(ao, masks[1])
        h2 = layer.gate_up.buffer(t)
        _, r2 = pw.rms(mid, layer.norm2, self.eps, out=h2[:, : layer.gate_up.inputs])
        gu = layer.gate_up.forward(h2, masks[2])
        act = layer.down.buffer(t)
        pw.silu_mul(gu, act[:, : layer.down.inputs])
        out = mid + layer.down.forward(act, masks[3])
        return out, (masks, x, r1, h1, q, k, v, probs, ao, mid, r2, h2, gu, act)

    def _backward(self, batch: Packed, dx: Tensor, saved: list) -> None:
        lowest = next(i for i, layer in enumerate(self.layers) if any(g.slots for g in layer.groups))
        for i in range(len(self.layers) - 1, lowest - 1, -1):
            dx = self._layer_back(self.layers[i], dx, saved.pop(), batch, last=i == lowest)

    def _layer_back(self, layer: _Layer, dout: Tensor, kept: tuple, batch: Packed, last: bool) -> Tensor | None:
        masks, x, r1, h1, q, k, v, probs, ao, mid, r2, h2, gu, act = kept
        dact = layer.down.backward(dout, act, masks[3])
        dh2 = layer.gate_up.backward(pw.silu_mul_back(dact, gu), h2, masks[2])
        dmid = pw.rms_back(dh2, mid, layer.norm2, r2).add_(dout)
        dao = layer.o.backward(dmid, ao, masks[1])
        dqkv = self._attend_back(dao, q, k, v, probs, batch)
        dh1 = layer.qkv.backward(dqkv, h1, masks[0], need_dx=not last)
        if last:
            return None
        return pw.rms_back(dh1, x, layer.norm1, r1).add_(dmid)

    def _split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[T, (heads+2kv)·D] to q [kv, heads/kv, T, D], k and v [kv, T, D], q and k rotated."""
        t = qkv.shape[0]
        by_head = qkv.view(t, self.heads + 2 * self.kv, self.size).transpose(0, 1).contiguous()
        pw.rotate(by_head[: self.heads + self.kv], self.cos, self.sin)
        q = by_head[: self.heads].view(self.kv, self.heads // self.kv, t, self.size)
        return q, by_head[self.heads : self.heads + self.kv], by_head[self.heads + self.kv :]

    def _blocks(self, batch: Packed) -> list[tuple[int, int]]:
        return ([(0, batch.prefix)] if batch.prefix else []) + batch.segments

    def _keys(self, k: Tensor, a: int, b: int, prefix: int) -> Tensor:
        """What the block [a, b) sees: the shared head and itself. [kv, L, D]."""
        if prefix == 0 or a == 0:
            return k[:, a:b]
        return torch.cat((k[:, :prefix], k[:, a:b]), 1)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, batch: Packed, out: Tensor) -> list[Tensor]:
        """Attention of each block; fills out [T, heads·D] and gives the probabilities, [kv, g·S, L] per block."""
        probs, groups = [], self.heads // self.kv
        view = out.view(-1, self.kv, groups, self.size) if out.is_contiguous() else None
        for a, b in self._blocks(batch):
            s = b - a
            keys, values = self._keys(k, a, b, batch.prefix), self._keys(v, a, b, batch.prefix)
            scores = torch.bmm(q[:, :, a:b].reshape(self.kv, groups * s, self.size), keys.transpose(1, 2))
            p = pw.causal_softmax(scores, s, self.size**-0.5)
            o = torch.bmm(p, values).view(self.kv, groups, s, self.size).permute(2, 0, 1, 3)
            if view is not None:
                view[a:b] = o
            else:
                out[a:b] = o.reshape(s, -1)
            probs.append(p)
        return probs

    def _attend_back(self, dao: Tensor, q: Tensor, k: Tensor, v: Tensor, probs: list, batch: Packed) -> Tensor:
        """Gradient with respect to the joined q, k, v projections, [T, (heads+2kv)·D]."""
        t, groups, n = dao.shape[0], self.heads // self.kv, self.heads
        grad = dao.new_zeros(n + 2 * self.kv, t, self.size)
        dq, dk, dv = grad[:n].view(self.kv, groups, t, self.size), grad[n : n + self.kv], grad[n + self.kv :]
        do = dao.reshape(t, self.kv, groups, self.size).permute(1, 2, 0, 3)
        for (a, b), p in zip(self._blocks(batch), probs, strict=True):
            s, prefix = b - a, batch.prefix if a else 0
            doi = do[:, :, a:b].reshape(self.kv, groups * s, self.size)
            keys, values = self._keys(k, a, b, batch.prefix), self._keys(v, a, b, batch.prefix)
            ds = pw.softmax_back(torch.bmm(doi, values.transpose(1, 2)), p, self.size**-0.5)
            dq[:, :, a:b] = torch.bmm(ds, keys).view(self.kv, groups, s, self.size)
            dki = torch.bmm(ds.transpose(1, 2), q[:, :, a:b].reshape(self.kv, groups * s, self.size))
            dvi = torch.bmm(p.transpose(1, 2), doi)
            for total, part in ((dk, dki), (dv, dvi)):
                if prefix:
                    total[:, :prefix] += part[:, :prefix]
                total[:, a:b] += part[:, prefix:]
        pw.rotate(grad[: n + self.kv], self.cos, -self.sin)
        return grad.transpose(0, 1).reshape(t, -1)


class _Layer:
    def __init__(self, layer):
        attention, mlp = layer.self_attn, layer.mlp
        self.norm1, self.norm2 = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        self.qkv = Group([attention.q_proj, attention.k_proj, attention.v_proj])
        self.o = Group([attention.o_proj])
        self.gate_up = Group([mlp.gate_proj, mlp.up_proj])
        self.down = Group([mlp.down_proj])
        self.groups = [self.qkv, self.o, self.gate_up, self.down]
        self.dropouts = [_Dropout(g) for g in self.groups]


class _Dropout:
    """Masks for the adapters' input. Projections that read the same input share one mask; PEFT draws one for each.

    Each adapter still sees every input kept with probability 1 - p, independently over positions and features.
    """

    def __init__(self, group: Group):
        self.p = group.dropout if group.slots else 0.0
        self.like, self.width = group.joined, group.inputs

    def mask(self, rows: int) -> Tensor | None:
        if self.p == 0:
            return None
        keep = torch.empty(rows, self.width, dtype=self.like.dtype, device=self.like.device)
        return keep.bernoulli_(1 - self.p).div_(1 - self.p)


def _head(h: Tensor, weight: Tensor, targets: Tensor, scale: float, rows: int = 128) -> tuple[float, Tensor | None]:
    """Cross-entropy over the vocabulary for h [C, H], a few rows at a time: (sum of losses, scale · d(sum)/dh)."""
    total, grad = 0.0, torch.empty_like(h) if scale else None
    for i in range(0, h.shape[0], rows):
        part = h[i : i + rows]
        logits = (part @ weight.t()).float()
        at = targets[i : i + rows, None]
        total += float((torch.logsumexp(logits, 1, keepdim=True) - logits.gather(1, at)).sum())
        if grad is not None:
            probs = torch.softmax(logits, 1)
            probs.scatter_add_(1, at, probs.new_full(at.shape, -1.0))
            grad[i : i + rows] = (probs.mul_(scale).to(weight.dtype)) @ weight
    return total, grad
