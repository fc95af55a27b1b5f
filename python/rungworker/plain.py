"""The plain path: the PEFT model itself over a padded batch, with logits only where a completion token is predicted.

Slower than the packed path, and right for every architecture that transformers and PEFT know.
"""

from __future__ import annotations

import torch

from .batch import Padded


class PlainModel:
    """Computes loss and gradients of a PEFT model over padded batches, by autograd."""

    def __init__(self, peft_model):
        self.model = peft_model
        self.causal = peft_model.get_base_model()

    def _sum(self, batch: Padded) -> torch.Tensor:
        hidden = self.causal.model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).last_hidden_state
        logits = self.causal.lm_head(hidden[batch.row, batch.at]).float()
        scale = getattr(self.causal.config, "logits_scaling", None)
        if scale:
            logits = logits / scale
        return torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum")

    def loss(self, batch: Padded) -> float:
        """Sum of the losses of the completion tokens, in nats; no gradients, no dropout."""
        self.model.eval()
        with torch.no_grad():
            return float(self._sum(batch))

    def step(self, batch: Padded, count: int, train: bool = True) -> float:
        """Add the gradients of (sum of losses / count) to the adapters; give the sum of losses, in nats."""
        self.model.train(train)
        total = self._sum(batch)
        (total / count).backward()
        return float(total.detach())
