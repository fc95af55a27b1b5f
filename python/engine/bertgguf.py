"""Converts a sentence-transformers BERT in a zip file to GGUF: bertgguf.py SOURCE.zip TARGET.gguf.

The zip holds config.json, tokenizer.json (WordPiece), 1_Pooling/config.json (mean pooling) and model.safetensors (float32).
Matrices are written as float16, vectors and norms as float32. The same source gives the same bytes.
"""

import json
import struct
import sys
import zipfile

import gguf
import numpy as np

WORD_START = "\u2581"
TYPES = {"F32": np.float32, "F16": np.float16}


def safetensors(data):
    """Name and array of every floating-point tensor. Format: length of the header (u64), JSON header, bytes."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in TYPES:
            continue
        start, end = entry["data_offsets"]
        flat = np.frombuffer(data, TYPES[entry["dtype"]], offset=8 + length + start, count=(end - start) // TYPES[entry["dtype"]]().itemsize)
        yield name, flat.reshape(entry["shape"])


def vocabulary(tokenizer):
    """Tokens as llama.cpp's WordPiece wants them: word starts are marked, continuations lose their ##."""
    special = {t["id"]: t["content"] for t in tokenizer["added_tokens"] if t["special"]}
    by_id = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    if [i for _, i in by_id] != list(range(len(by_id))):
        raise ValueError("the token ids have gaps")
    tokens, kinds = [], []
    for token, i in by_id:
        if i in special:
            tokens.append(token)
            kinds.append(gguf.TokenType.CONTROL)
        else:
            tokens.append(token[2:] if token.startswith("##") else WORD_START + token)
            kinds.append(gguf.TokenType.NORMAL)
    return tokens, kinds, {content: i for i, content in special.items()}


def add_metadata(writer, config, tokenizer):
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tokens, kinds, special = vocabulary(tokenizer)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_bos_token_id(special["[CLS]"])
    writer.add_eos_token_id(special["[SEP]"])
    writer.add_unk_token_id(special["[UNK]"])
    writer.add_sep_token_id(special["[SEP]"])
    writer.add_pad_token_id(special["[PAD]"])
    writer.add_mask_token_id(special["[MASK]"])


def main(source, target):
    with zipfile.ZipFile(source) as archive:
        config = json.loads(archive.read("config.json"))
        tokenizer = json.loads(archive.read("tokenizer.json"))
        pooling = json.loads(archive.read("1_Pooling/config.json"))
        weights = archive.read("model.safetensors")
    if not pooling["pooling_mode_mean_tokens"]:
        raise ValueError("only mean pooling is supported")
    writer = gguf.GGUFWriter(target, arch="bert")
    add_metadata(writer, config, tokenizer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for name, values in safetensors(weights):
        if name.startswith("pooler."):  # not used by mean pooling
            continue
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if mapped is None:
            raise ValueError(f"no GGUF name for tensor {name}")
        matrix = values.ndim == 2 and "embeddings.position" not in name and "token_type" not in name
        writer.add_tensor(mapped, values.astype(np.float16 if matrix else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
