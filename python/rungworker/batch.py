"""Rows to tensors: packed with a shared prefix, or padded.

A packed batch is one sequence: the prompt head that all rows share, once, then what remains of each row. A row attends
to the head and to itself, so the result is that of computing each row alone, and gradients flow through the head from all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .protocol import Row


@dataclass(frozen=True)
class Packed:
    """One packed batch of T positions."""

    ids: torch.Tensor  # int64 [T]
    positions: torch.Tensor  # int64 [T], position of each token in its own row
    prefix: int  # length of the shared head, may be 0
    segments: list[tuple[int, int]]  # [start, end) of each row's own part
    at: torch.Tensor  # int64 [C], where the completion tokens are predicted
    targets: torch.Tensor  # int64 [C], the completion tokens
    tokens: int  # sum of the rows' lengths: what a padded batch would count as its non-padding tokens


def shared_prefix(rows: list[Row]) -> int:
    """Length of the prompt head that all rows share, leaving each row at least one prompt token of its own.

    That last prompt token predicts the first token of the completion, which differs from row to row.
    """
    first = rows[0].prompt
    n = min(len(r.prompt) for r in rows) - 1
    for row in rows[1:]:
        k = 0
        while k < n and row.prompt[k] == first[k]:
            k += 1
        n = k
    return n if len(rows) > 1 else 0


def pack(rows: list[Row], device: torch.device) -> Packed:
    """Pack rows. The last token of a completion is only a target, so it is no input."""
    p = shared_prefix(rows)
    ids, positions = list(rows[0].prompt[:p]), list(range(p))
    segments, at, targets = [], [], []
    for row in rows:
        own = row.prompt[p:] + row.completion[:-1]
        start = len(ids)
        ids += own
        positions += range(p, p + len(own))
        segments.append((start, len(ids)))
        first = start + len(row.prompt) - p - 1
        at += range(first, first + len(row.completion))
        targets += row.completion
    as_tensor = lambda xs: torch.tensor(xs, dtype=torch.int64, device=device)  # noqa: E731
    return Packed(
        as_tensor(ids), as_tensor(positions), p, segments, as_tensor(at), as_tensor(targets), sum(len(r) for r in rows)
    )


@dataclass(frozen=True)
class Padded:
    """One right-padded batch of B rows and L positions."""

    ids: torch.Tensor  # int64 [B, L]
    mask: torch.Tensor  # int64 [B, L], 1 where there is a token
    row: torch.Tensor  # int64 [C]
    at: torch.Tensor  # int64 [C]
    targets: torch.Tensor  # int64 [C]
    tokens: int


def pad(rows: list[Row], device: torch.device) -> Padded:
    length = max(len(r) for r in rows) - 1
    ids = torch.zeros(len(rows), length, dtype=torch.int64)
    mask = torch.zeros(len(rows), length, dtype=torch.int64)
    row_at, at, targets = [], [], []
    for i, row in enumerate(rows):
        seq = row.prompt + row.completion[:-1]
        ids[i, : len(seq)] = torch.tensor(seq)
        mask[i, : len(seq)] = 1
        row_at += [i] * len(row.completion)
        at += range(len(row.prompt) - 1, len(seq))
        targets += row.completion
    as_tensor = lambda xs: torch.tensor(xs, dtype=torch.int64, device=device)  # noqa: E731
    return Padded(
        ids.to(device), mask.to(device), as_tensor(row_at), as_tensor(at), as_tensor(targets), sum(len(r) for r in rows)
    )


def cost(rows: list[Row]) -> int:
    """Positions that a packed batch of these rows computes."""
    p = shared_prefix(rows)
    return p + sum(len(r) - p for r in rows)


def split(rows: list[Row], limit: int, packed: bool) -> list[list[Row]]:
    """Cut a batch into parts of at most ``limit`` positions (0: no limit); a single row is never cut.

    The parts' gradients are summed, so the result is that of the whole batch.
    """
    if limit <= 0:
        return [rows]
    rows = rows if packed else sorted(rows, key=len)
    parts: list[list[Row]] = []
    for row in rows:
        grown = parts[-1] + [row] if parts else [row]
        size = cost(grown) if packed else len(grown) * max(len(r) for r in grown)
        if parts and size <= limit:
            parts[-1] = grown
        else:
            parts.append([row])
    return parts
