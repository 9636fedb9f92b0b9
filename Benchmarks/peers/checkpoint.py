#!/usr/bin/env python3
"""Writes Gemma 3 (text) from GGUF as a Hugging Face checkpoint in f32, which other tools export from.

    python checkpoint.py gemma-3-270m-q4_k_m.gguf TOKENIZER.json OUTPUT_FOLDER

Weights have the exact values of the GGUF blocks; norms are stored as w where GGUF has 1 + w.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize

# GGUF's names of a layer's tensors, after `blk.N.`, and those of transformers, after `model.layers.N.`.
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}
SPECIAL_TOKENS = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}


def name_of(tensor):
    """The name that transformers gives a tensor of GGUF."""
    if tensor.startswith("blk."):
        _, number, kind, suffix = tensor.split(".")
        return f"model.layers.{number}.{LAYER[kind]}.{suffix}"
    return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[tensor]


def write_weights(reader, path):
    """Writes the safetensors format: a length, a JSON header with offsets, then the numbers."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for tensor in reader.tensors:
        shape = [int(extent) for extent in reversed(tensor.shape)]
        end = offset + 4 * int(np.prod(shape))
        header[name_of(tensor.name)] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in reader.tensors:
            values = dequantize(tensor.data, tensor.tensor_type).astype("<f4")
            file.write((values - 1 if "norm" in tensor.name else values).tobytes())


def configuration(reader):
    """config.json as transformers 4 wrote it, which 5 still reads."""
    value = lambda key: reader.fields["gemma3." + key].contents()
    layers = value("block_count")
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "attention_bias": False,
        "bos_token_id": 2,
        "dtype": "float32",
        "eos_token_id": 1,
        "head_dim": value("attention.key_length"),
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": value("embedding_length"),
        "intermediate_size": value("feed_forward_length"),
        "layer_types": ["sliding_attention" if (n + 1) % 6 else "full_attention" for n in range(layers)],
        "max_position_embeddings": value("context_length"),
        "num_attention_heads": value("attention.head_count"),
        "num_hidden_layers": layers,
        "num_key_value_heads": value("attention.head_count_kv"),
        "pad_token_id": 0,
        "query_pre_attn_scalar": value("attention.key_length"),
        "rms_norm_eps": 1e-6,
        "rope_local_base_freq": 10000.0,
        "rope_theta": value("rope.freq_base"),
        "sliding_window": value("attention.sliding_window"),
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": int(next(t for t in reader.tensors if t.name == "token_embd.weight").shape[1]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    reader = GGUFReader(str(options.gguf))
    work = options.output.with_name(f"{options.output.name}-{os.getpid()}")
    work.mkdir(parents=True)
    try:
        write_weights(reader, work / "model.safetensors")
        (work / "config.json").write_text(json.dumps(configuration(reader), indent=1))
        shutil.copyfile(options.tokenizer, work / "tokenizer.json")
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL_TOKENS}
        (work / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
        os.rename(work, options.output)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
