"""The adapter as GGUF: the same answers in llama.cpp as in PEFT."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch

from rungworker import adapter
from rungworker.protocol import JobError

from .conftest import params, tiny_llama, tiny_qwen2
from .test_gradients import start


def tensors(path) -> dict[str, np.ndarray]:
    return {t.name: t.data for t in gguf.GGUFReader(path).tensors}


def test_the_file_holds_every_factor_and_nothing_that_changes(tmp_path):
    settings = params()
    model = start(tiny_llama(), settings)
    first = adapter.write_gguf(model, settings, tmp_path / "a.gguf")
    again = adapter.write_gguf(model, settings, tmp_path / "b.gguf")
    assert first == again
    found = tensors(tmp_path / "a.gguf")
    assert len(found) == 3 * 7 * 2
    assert found["blk.2.ffn_down.weight.lora_a"].shape == (4, 64)
    assert found["blk.2.ffn_down.weight.lora_b"].shape == (32, 4)
    fields = gguf.GGUFReader(tmp_path / "a.gguf").fields
    value = lambda key: fields[key].contents()  # noqa: E731
    assert value("general.type") == "adapter"
    assert value("general.architecture") == "llama"
    assert value("adapter.type") == "lora"
    assert value("adapter.lora.alpha") == 8.0


def test_rows_of_q_and_k_are_in_llama_cpps_order(tmp_path):
    """llama.cpp rotates neighbours (0,1), (2,3) …, transformers pairs i with i + D/2."""
    b = np.arange(16, dtype=np.float32)[:, None]  # two heads of eight
    assert adapter.interleave(b, 2)[:8, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    settings = params(("q_proj",))
    for make, changed in ((tiny_llama, True), (tiny_qwen2, False)):
        model = start(make(), settings)
        adapter.write_gguf(model, settings, tmp_path / "a.gguf")
        held = model.get_base_model().model.layers[0].self_attn.q_proj.lora_B["default"].weight.detach().numpy()
        assert np.array_equal(tensors(tmp_path / "a.gguf")["blk.0.attn_q.weight.lora_b"], held) != changed


def test_unknown_architectures_and_targets_are_refused():
    config = tiny_llama().config
    config.model_type = "mamba"
    with pytest.raises(JobError) as err:
        adapter.architecture(config)
    assert err.value.code == "unsupported"
    with pytest.raises(JobError, match="unknown target modules: nose"):
        adapter.put_on(tiny_llama(), params(("nose", "q_proj")))


def test_taking_an_adapter_off_gives_the_base_back():
    base = tiny_llama()
    ids = torch.tensor([[1, 2, 3, 4]])
    want = base(ids).logits
    model = start(base, params())
    assert not torch.allclose(model(ids).logits, want)
    assert torch.equal(adapter.take_off(model)(ids).logits, want)


def write_base(model, path) -> None:
    """The tiny model as a GGUF that llama.cpp loads, with a vocabulary of made-up words."""
    c = model.config
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(c.rope_parameters["rope_theta"])
    w.add_rope_dimension_count(c.hidden_size // c.num_attention_heads)
    w.add_vocab_size(c.vocab_size)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("default")
    w.add_token_list([f"w{i}" for i in range(c.vocab_size)])
    w.add_token_types([1] * c.vocab_size)
    w.add_token_merges(["w 1"])
    w.add_bos_token_id(0)
    w.add_eos_token_id(95)
    w.add_add_bos_token(False)
    names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"} | adapter.TENSORS
    for name, p in model.state_dict().items():
        data = p.float().numpy()
        if name == "lm_head.weight":
            continue  # tied
        if name == "model.embed_tokens.weight":
            out = "token_embd.weight"
        elif name == "model.norm.weight":
            out = "output_norm.weight"
        else:
            _, _, block, rest = name.split(".", 3)
            module = rest.removesuffix(".weight")
            out = f"blk.{block}.{names[module]}.weight"
            if module.endswith(("q_proj", "k_proj")):
                heads = c.num_attention_heads if module.endswith("q_proj") else c.num_key_value_heads
                data = adapter.interleave(data, heads)
        w.add_tensor(out, np.ascontiguousarray(data))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def test_llama_cpp_gives_pefts_probabilities(tmp_path):
    """Every next-token probability of the tiny model with its adapter, in llama.cpp and in PEFT."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="llama.cpp is not in this environment")
    settings = params(rank=8, alpha=16)
    model = tiny_llama()
    write_base(model, tmp_path / "base.gguf")
    tuned = start(model, settings)
    adapter.write_gguf(tuned, settings, tmp_path / "adapter.gguf")

    common = xllamacpp.CommonParams()
    common.model.path = str(tmp_path / "base.gguf")
    common.n_ctx, common.n_parallel, common.warmup = 64, 1, False
    common.cpuparams.n_threads = 1
    lora = xllamacpp.CommonAdapterLoraInfo(str(tmp_path / "adapter.gguf"), 1.0)
    common.lora_adapters = [lora]
    server = xllamacpp.Server(common)
    for prompt in ([5, 17, 60, 33], [80, 2, 2, 9, 41, 70, 11], list(range(10, 40))):
        answer = server.handle_completions({"prompt": prompt, "n_predict": 1, "n_probs": 96, "temperature": 0})
        top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        got = {t["id"]: t["logprob"] for t in top}
        with torch.no_grad():
            tuned.eval()
            want = torch.log_softmax(tuned(torch.tensor([prompt])).logits[0, -1], 0)
            plain = torch.log_softmax(_without(tuned, prompt), 0)
        ids = sorted(got)
        assert len(ids) > 50
        gap = max(abs(got[i] - float(want[i])) for i in ids)
        moved = max(abs(float(plain[i]) - float(want[i])) for i in ids)
        # llama.cpp keeps keys and values in half precision; the adapter moves the probabilities hundreds of times further.
        assert gap < 0.05 < moved / 10, (gap, moved)


def _without(tuned, prompt):
    with tuned.disable_adapter():
        return tuned(torch.tensor([prompt])).logits[0, -1]
