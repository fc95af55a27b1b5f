"""Rows to tensors."""

from __future__ import annotations

from rungworker import batch
from rungworker.protocol import Row

from .conftest import rows


def test_the_shared_head_ends_before_any_rows_last_prompt_token():
    assert batch.shared_prefix([Row([1, 2, 3, 4], [9]), Row([1, 2, 5], [9])]) == 2
    assert batch.shared_prefix([Row([1, 2, 3], [9]), Row([1, 2, 3], [8])]) == 2
    assert batch.shared_prefix([Row([1, 2, 3], [9]), Row([2, 2, 3], [8])]) == 0
    assert batch.shared_prefix([Row([1, 2, 3], [9])]) == 0


def test_pack_lays_out_head_and_rows():
    p = batch.pack([Row([1, 2, 3], [7, 8]), Row([1, 2, 4, 5], [9])], "cpu")
    assert p.ids.tolist() == [1, 2, 3, 7, 4, 5]
    assert p.positions.tolist() == [0, 1, 2, 3, 2, 3]
    assert (p.prefix, p.segments) == (2, [(2, 4), (4, 6)])
    assert p.at.tolist() == [2, 3, 5]
    assert p.targets.tolist() == [7, 8, 9]
    assert p.tokens == 10


def test_pad_predicts_the_same_tokens():
    p = batch.pad([Row([1, 2, 3], [7, 8]), Row([1, 2, 4, 5], [9])], "cpu")
    assert p.ids.tolist() == [[1, 2, 3, 7], [1, 2, 4, 5]]
    assert list(zip(p.row.tolist(), p.at.tolist(), p.targets.tolist(), strict=True)) == [(0, 2, 7), (0, 3, 8), (1, 3, 9)]


def test_split_keeps_every_row_within_the_limit():
    data = rows(9)
    for packed in (True, False):
        for limit in (1, 15, 40, 1000, 0):
            parts = batch.split(data, limit, packed)
            assert sorted(map(repr, sum(parts, []))) == sorted(map(repr, data))
            for part in parts:
                size = batch.cost(part) if packed else len(part) * max(len(r) for r in part)
                assert limit == 0 or size <= limit or len(part) == 1
