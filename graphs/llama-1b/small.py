#!/usr/bin/env python3
"""Writes a decoder that is small beside `export.py`'s, over the same vocabulary, with random weights: 0.6 GB.

    python small.py OUTPUT_FOLDER

A token of it reads an eighth of the bytes, which is about what a token of PaLM2-Gecko costs beside one of PaLM2-Bison.
"""

from export import Decoder, write


class SmallDecoder(Decoder):
    name = "llama-1b-small"
    layers, width, hidden = 6, 768, 3072
    heads, key_heads = 12, 4


if __name__ == "__main__":
    write(SmallDecoder, __doc__.split("\n")[0])
