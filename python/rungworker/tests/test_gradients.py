"""The packed path against plain PEFT: same loss, same gradients, from the same start."""

from __future__ import annotations

import pytest
import torch

from rungworker import adapter, batch, check
from rungworker.learner import Learner, Schedule
from rungworker.packed import PackedModel, why_not
from rungworker.protocol import Row

from .conftest import ALL, params, rows, tiny_llama, tiny_qwen2

# float32: only the order of additions differs.
TIGHT = 2e-5


def start(base, settings):
    """A PEFT model with B away from zero, where A has a gradient, too."""
    model = adapter.put_on(base, settings)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in adapter.parameters(model).items():
            if "lora_B" in name:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
    return model


def peft_gradients(model, data: list[Row]) -> tuple[float, dict]:
    """Reference: one row at a time through PEFT's own forward with labels, no code of ours but the labels."""
    model.eval()
    model.zero_grad()
    count, total = sum(len(r.completion) for r in data), 0.0
    for row in data:
        ids = torch.tensor([row.prompt + row.completion])
        labels = torch.tensor([[-100] * len(row.prompt) + row.completion])
        loss = model(input_ids=ids, labels=labels).loss * len(row.completion)
        (loss / count).backward()
        total += float(loss.detach())
    return total, {n: p.grad.clone() for n, p in adapter.parameters(model).items()}


def packed_gradients(model, parts: list[list[Row]]) -> tuple[float, dict]:
    model.zero_grad()
    engine = PackedModel(model)
    count = sum(len(r.completion) for part in parts for r in part)
    total = sum(engine.step(batch.pack(part, "cpu"), count, train=False) for part in parts)
    return total, {n: p.grad.clone() for n, p in adapter.parameters(model).items()}


def assert_equal(got: dict, want: dict, tolerance: float) -> None:
    assert got.keys() == want.keys()
    for name, g in want.items():
        assert float(g.norm()) > 0, name
        assert float((got[name] - g).norm() / g.norm()) < tolerance, name


@pytest.mark.parametrize("make", [tiny_llama, lambda: tiny_llama(tie_word_embeddings=False), tiny_qwen2])
@pytest.mark.parametrize("targets", [ALL, ("q_proj", "v_proj"), ("k_proj", "down_proj"), ("o_proj", "up_proj")])
@pytest.mark.parametrize("head", [0, 1, 9])
def test_gradients_equal_pefts(make, targets, head):
    model, data = start(make(), params(targets)), rows(5, head=head)
    loss, want = peft_gradients(model, data)
    fast, got = packed_gradients(model, [data])
    assert fast == pytest.approx(loss, rel=1e-5)
    assert_equal(got, want, TIGHT)


def test_rows_with_the_same_prompt_and_a_single_row():
    model = start(tiny_llama(), params())
    same = [Row([7, 8, 9], [11, 3]), Row([7, 8, 9], [12, 13, 3]), Row([7, 8, 9], [3])]
    for data in (same, same[:1], [Row([7], [3])]):
        loss, want = peft_gradients(model, data)
        fast, got = packed_gradients(model, [data])
        assert fast == pytest.approx(loss, rel=1e-5)
        for name, g in want.items():
            assert torch.allclose(got[name], g, atol=1e-6 + TIGHT * float(g.norm())), name


def test_a_cut_batch_has_the_gradients_of_the_whole():
    model, data = start(tiny_llama(), params()), rows(6)
    _, want = peft_gradients(model, data)
    parts = batch.split(data, 20, packed=True)
    assert len(parts) > 1
    _, got = packed_gradients(model, parts)
    assert_equal(got, want, TIGHT)


def test_rotary_scaling_of_llama3():
    scaled = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    }
    model, data = start(tiny_llama(rope_parameters=scaled), params()), rows(4, head=12)
    _, want = peft_gradients(model, data)
    _, got = packed_gradients(model, [data])
    assert_equal(got, want, TIGHT)


def test_the_plain_path_equals_peft_too():
    model, data = start(tiny_llama(), params()), rows(5)
    loss, want = peft_gradients(model, data)
    model.zero_grad()
    from rungworker.plain import PlainModel

    total = PlainModel(model).step(batch.pad(data, "cpu"), sum(len(r.completion) for r in data), train=False)
    assert total == pytest.approx(loss, rel=1e-5)
    assert_equal({n: p.grad for n, p in adapter.parameters(model).items()}, want, TIGHT)


def relative(got: dict, want: dict) -> float:
    gap = sum(float((got[n].double() - want[n].double()).square().sum()) for n in want)
    return (gap / sum(float(want[n].double().square().sum()) for n in want)) ** 0.5


def test_bfloat16_is_as_near_to_float32_as_peft_is():
    """Both round at different places, so neither is the truth; float32 is. Ours may be at most twice as far from it.

    On a real model the two are equally far (below); a random one with 32 features is all rounding.
    """
    data = rows(8, head=9)
    _, truth = peft_gradients(start(tiny_llama(), params()), data)
    _, plain = peft_gradients(start(tiny_llama().bfloat16(), params()), data)
    _, fast = packed_gradients(start(tiny_llama().bfloat16(), params()), [data])
    assert relative(fast, truth) < 2 * relative(plain, truth) < 0.1


def test_smollm2_bfloat16_is_as_near_to_float32_as_peft_is(smollm2):
    from rungworker import base
    from rungworker.protocol import Job

    job = Job("", smollm2, [], [], [], 1, 1, smollm2.parent)
    g = torch.Generator().manual_seed(2)
    draw = lambda k: torch.randint(1000, 40000, (k,), generator=g).tolist()  # noqa: E731
    head = draw(20)
    data = [Row(head + draw(6 + i), draw(8)) for i in range(3)]
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = adapter.put_on(base.load_base(job, torch.device("cpu"), dtype), params(rank=8))
        with torch.no_grad():
            gen = torch.Generator().manual_seed(5)
            for name, p in adapter.parameters(model).items():
                if "lora_B" in name:
                    p.copy_(torch.randn(p.shape, generator=gen) * 0.02)
        found[dtype] = peft_gradients(model, data)[1], packed_gradients(model, [data])[1]
    truth, fast32 = found[torch.float32]
    plain, fast = found[torch.bfloat16]
    assert relative(fast32, truth) < 1e-4
    assert relative(fast, truth) < 1.3 * relative(plain, truth) < 0.15


def test_training_takes_the_same_course_on_both_paths():
    data, losses = rows(40), {}
    for fast in (True, False):
        learner = Learner(tiny_llama(), params(), data, seed=1, fast=fast)
        losses[fast] = [learner.step(Schedule(5e-3, 0, 30)) for _ in range(30)]
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)
    assert sum(losses[True][-5:]) < 0.85 * sum(losses[True][:5])


class Masked(torch.nn.Module):
    """A dropout layer that applies the mask it is given. The last position has none: its output is not used."""

    def __init__(self, mask):
        super().__init__()
        self.mask = torch.cat([mask, torch.ones_like(mask[:1])])

    def forward(self, x):
        return x * self.mask


def test_dropout_has_pefts_gradients_for_the_same_masks(monkeypatch):
    model = start(tiny_llama(), params(dropout=0.25))
    row = rows(1)[0]
    engine, drawn = PackedModel(model), {}
    for layer in engine.layers:
        for i, dropout in enumerate(layer.dropouts):
            drawn[layer, i] = dropout.mask(len(row) - 1)
            monkeypatch.setattr(dropout, "mask", lambda _, m=drawn[layer, i]: m)
    total = engine.step(batch.pack([row], "cpu"), len(row.completion), train=True)
    got = {n: p.grad.clone() for n, p in adapter.parameters(model).items()}
    for layer, ours in zip(model.get_base_model().model.layers, engine.layers, strict=True):
        inputs = (("self_attn", "qkv"), ("self_attn", "o"), ("mlp", ("gate", "up")), ("mlp", ("down",)))
        for i, (part, names) in enumerate(inputs):
            for name in names:
                getattr(getattr(layer, part), f"{name}_proj").lora_dropout["default"] = Masked(drawn[ours, i])
    loss, want = peft_gradients(model, [row])
    assert total == pytest.approx(loss, rel=1e-5)
    assert_equal(got, want, TIGHT)


def test_dropout_masks_keep_their_share_and_are_seeded():
    dropout = PackedModel(start(tiny_llama(), params(dropout=0.25))).layers[0].dropouts[0]
    torch.manual_seed(1)
    mask = dropout.mask(4000)
    assert float((mask == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(mask.max()) == pytest.approx(1 / 0.75)
    assert not torch.equal(mask, dropout.mask(4000))
    torch.manual_seed(1)
    assert torch.equal(mask, dropout.mask(4000))


def test_the_self_check_sees_a_wrong_path(monkeypatch):
    gap, base = check.disagreement(tiny_llama(), params(), rows(2))
    assert gap < check.TOLERANCE[torch.float32]
    from rungworker import packed

    right = packed.pw.rotate
    monkeypatch.setattr(packed.pw, "rotate", lambda x, cos, sin: right(x, cos, sin * 1.05))
    gap, _ = check.disagreement(base, params(), rows(2))
    assert gap > check.TOLERANCE[torch.float32]


def test_unknown_models_take_the_plain_path():
    config = tiny_llama().config
    assert why_not(config) == ""
    config.hidden_act = "gelu"
    assert "gelu" in why_not(config)
    config.model_type = "mamba"
    assert "mamba" in why_not(config)
