#!/usr/bin/env python3
"""Writes the tokenizer inside a Gemma 3 GGUF file as a `tokenizer.json` of the Hugging Face `tokenizers` library.

A GGUF file stores the SentencePiece model: pieces, scores and kinds. SentencePiece joins the adjacent pair whose joined
piece has the best score, again and again; that is byte-pair encoding whose merges are ranked by score:

    merges = [(left, right) for piece in vocabulary for left + right == piece if both are pieces], best score first

Text goes through: added tokens (newline runs, tags, control tokens) are cut out; spaces become U+2581; byte-pair merges;
unknown characters fall back to the 256 byte pieces `<0xNN>`; `<bos>` is put in front.

Runs of 2 to 31 spaces are pieces that the very first merges build, the longest run first, as SentencePiece cuts them out.

    python tokenizer.py gemma-3-270m-q4_k_m.gguf tokenizer.json
"""

import argparse
import json
import os
import sys
from pathlib import Path

from gguf import GGUFReader

# Kinds of pieces in `tokenizer.ggml.token_type`.
NORMAL = 1
CONTROL = 3
USER_DEFINED = 4

# Google's files mark as special only what a decoder should drop; reserved `<unusedN>` tokens are plain added tokens.
SPECIAL = {
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
}

SPACE = "\u2581"


def read_pieces(reader):
    """Returns the pieces, their scores and their kinds, each a list indexed by token id, and the id of `<bos>`.

    User-defined pieces win over all others: their score becomes 0, the best there is. Runs of spaces, which GGUF writes
    with plain spaces, get U+2581 back and count as normal pieces.
    """
    contents = lambda key: reader.fields["tokenizer.ggml." + key].contents()
    if contents("model") != "llama":
        raise ValueError(
            f"the GGUF file holds a '{contents('model')}' tokenizer; this script reads SentencePiece ('llama')"
        )
    pieces, scores, kinds = contents("tokens"), contents("scores"), contents("token_type")
    for index, kind in enumerate(kinds):
        if kind == USER_DEFINED:
            scores[index] = 0.0
            if not pieces[index].strip(" "):
                pieces[index] = SPACE * len(pieces[index])
                kinds[index] = NORMAL
    return pieces, scores, kinds, contents("bos_token_id")


def ranked_merges(pieces, scores):
    """Returns every pair of pieces that joins into a piece, best score first; ties as they appear in the vocabulary."""
    ids = {piece: index for index, piece in enumerate(pieces)}
    merges = []
    for piece, score in zip(pieces, scores):
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        pairs = [(left, right) for left, right in cuts if left in ids and right in ids]
        pairs.sort(key=lambda pair: (ids[pair[0]], ids[pair[1]]))
        merges += [(score, left, right) for left, right in pairs]
    merges.sort(key=lambda merge: (merge[0], len(merge[1]), len(merge[2])), reverse=True)
    return [[left, right] for _, left, right in merges]


def added_tokens(pieces, kinds):
    """Returns the entries of pieces that are cut out of the text before byte-pair encoding."""
    return [
        {
            "id": index,
            "content": piece,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": piece in SPECIAL,
        }
        for index, (piece, kind) in enumerate(zip(pieces, kinds))
        if kind in (CONTROL, USER_DEFINED)
    ]


def tokenizer_json(pieces, scores, kinds, bos):
    """Returns the whole `tokenizer.json` as a dictionary."""
    bos_piece = pieces[bos]
    sequence = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    bos_token = lambda type_id: {"SpecialToken": {"id": bos_piece, "type_id": type_id}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(pieces, kinds),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos_token(0), sequence("A")],
            "pair": [bos_token(0), sequence("A"), bos_token(1), {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos_piece: {"id": bos_piece, "ids": [bos], "tokens": [bos_piece]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece: index for index, piece in enumerate(pieces)},
            "merges": ranked_merges(pieces, scores),
        },
    }


def write_tokenizer(reader, output):
    """Writes the tokenizer of an open GGUF file to `output`, whole or not at all. Returns what was written."""
    contents = tokenizer_json(*read_pieces(reader))
    temporary = Path(f"{output}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(contents, file, ensure_ascii=False, indent=None, separators=(",", ":"))
    os.replace(temporary, output)
    return contents


def main():
    parser = argparse.ArgumentParser(description="Write the tokenizer of a Gemma 3 GGUF file as tokenizer.json.")
    parser.add_argument("gguf", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    contents = write_tokenizer(GGUFReader(str(options.gguf)), options.output)
    model = contents["model"]
    print(
        f"{options.output}: {len(model['vocab'])} pieces, {len(model['merges'])} merges, "
        f"{len(contents['added_tokens'])} added tokens",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
