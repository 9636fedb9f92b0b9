#!/usr/bin/env python3
"""Makes the fixtures of TokenizationTests: small tokenizers and what Hugging Face `tokenizers` does with them.

    python3 make_fixtures.py            writes NAME/tokenizer.json and NAME/expected.json beside this script
    python3 make_fixtures.py fuzz FILE SEED COUNT
                                        writes COUNT random texts, as a JSON list

Needs `tokenizers` 0.23.3. `expected.json` holds {"encodings": [{text, ids, plain, decoded, verbatim}],
"decodings": [{ids, decoded, verbatim}]}: `ids` with special tokens and `plain` without, `decoded` skips special tokens
and `verbatim` does not.
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent

SENTENCES = """The quick brown fox jumps over the lazy dog, again and again; it doesn't stop. I'll say that they've been here.
We're going to the market at 12:30 with 2048 apples and 3.14159 pies. You'd think it's 100% right, wouldn't you?
def encode(text: str) -> list[int]:\n    return [ord(c) for c in text]  # comment\n\n\tif (x <= 3) { return "ok"; }
Der schnelle braune Fuchs springt über den faulen Hund. Größe, Straße, Übung, Äpfel und Öl.
Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë au delà des îles.
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío; añoraba a su querido cachorro.
Съешь ещё этих мягких французских булок, да выпей чаю. Быстрая коричневая лиса.
日本語のテキストです。東京は日本の首都です。今日は良い天気ですね。
我能吞下玻璃而不伤身体。中文分词测试，北京大学生前来应聘。
다람쥐 헌 쳇바퀴에 타고파. 한국어 문장입니다.
नमस्ते दुनिया, यह एक परीक्षण है। สวัสดีชาวโลก
السلام عليكم ورحمة الله وبركاته שלום עולם
Emoji: 😀😃😄 🦊🚀 👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ❤️
Runs:  two   three    four\t\ttabs\r\n\r\nlines\n\n\nend""".split("\n")

CASES = [
    "", " ", "  ", "a", "Hello world", " Hello", "Hello ", "  leading and trailing  ", "tabs\tand\nnewlines\n\n",
    "line\r\nline\r\n\r\nline\rend", "naïve café — “quotes” … ‘single’", "e\u0301 cafe\u0301 A\u030a \u1e9b\u0323 ﬁ ½ ²",
    "12345 67.89 0x1F 1,000,000 ١٢٣ Ⅷ", "日本語のテキスト、中文，한국어", "🦊🚀 emoji 👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ❤️",
    "mixed CASE_words-with.dots", "\u200bzero\u200dwidth\ufeff", "a" * 40, "ab" * 40, "Ünïcödé ÅÄÖ ß İ ŞŞ ΑΣ",
    "if (x<=3) { return \"ok\"; }  // 'S 'LL it'S I'LL we’re", "\u0000\u0001\u001f\u007f\u0085\u00a0\u2028\u3000end",
    "\U0010ffff\U000e0001\ue000 private", "▁literal▁▁mark ▁ x", "Ġliteral Ċ byte-level", "<unk><s>", "<0x41><0xE2>",
    "<|endoftext|>", "text<|endoftext|>text", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext", "<s>hi</s>",
    "[MASK]", "a [MASK] b", "x[MASK]y", "  [MASK]  [STRIP]  ", "a[STRIP] [STRIP]b", "wholeword whole wholewords",
    "MixedCase mixedcase MIXEDCASE", "don't you're I'm he'd we'll they've", "a1b2c3 1a 22bb333", "...!!!???---", "\n", "\n\n\n x",
    "\t", "x\n \n  \n   y", "क्षत्रिय नमस्ते", "สวัสดีครับ", "שָׁלוֹם", "Ａｂｃ１２３ fullwidth", "\u1100\u1161\u11a8 각", "end with space\u3000 ",
] + ["x" + " " * n + "y" for n in range(1, 41)] + [" " * n for n in (1, 2, 3, 31, 32, 33)] + ["\n" * n for n in (2, 5, 33)]

PIECES = [
    " ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200b", "\u2028", "'s", "'LL", "’t", "_", "-", ".", ",", "!", "<", ">", "|",
    "the", "The", "fox", "encode", "return", "über", "Straße", "cœur", "café", "e\u0301", "n\u0303", "Съешь", "東京", "です",
    "玻璃", "다람쥐", "नमस्ते", "สวัสดี", "السلام", "שלום", "😀", "👩‍👩‍👧‍👦", "🇩🇪", "❤️", "0", "7", "42", "2048", "３", "Ⅷ", "½", "²",
    "▁", "Ġ", "<0x0A>", "<unk>", "<s>", "</s>", "<bos>", "<|endoftext|>", "<|eot_id|>", "<end_of_turn>", "<|im_start|>", "[MASK]",
    "[STRIP]", "wholeword", "MixedCase", "\u0000", "\u001f", "\u0301", "\u0323", "İ", "Σ", "ﬁ", "\ufffd", "\U0001f9ff", "\U000e0100",
]


def random_text(generator):
    text = ""
    for _ in range(generator.randrange(1, 14)):
        kind = generator.random()
        if kind < 0.7:
            text += generator.choice(PIECES)
        elif kind < 0.85:
            text += "".join(generator.choice("abcdefghijklmnopqrstuvwxyzABCXYZ") for _ in range(generator.randrange(1, 9)))
        elif kind < 0.92:
            text += chr(generator.choice([generator.randrange(32, 0x250), generator.randrange(0x250, 0x3000)]))
        elif kind < 0.96:
            text += chr(generator.choice([generator.randrange(0x3000, 0xD800), generator.randrange(0x1F000, 0x1FB00)]))
        else:
            text += generator.choice(PIECES) * generator.randrange(2, 20)
    return text


def random_texts(seed, count):
    generator = random.Random(seed)
    return [random_text(generator) for _ in range(count)]


BYTES = [f"<0x{b:02X}>" for b in range(256)]
BYTE_LEVEL = pre_tokenizers.ByteLevel.alphabet()
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])


def train(pre_tokenizer, size, special, alphabet=(), normalizer=None, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=list(alphabet), show_progress=False, min_frequency=1)
    tokenizer.train_from_iterator(SENTENCES * 2, trainer)
    return tokenizer


def byte_level(use_regex=True, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def fallback_model(size):
    """A byte-fallback model trained on words, as SentencePiece would be."""
    trained = train(
        pre_tokenizers.Metaspace(), size, ["<unk>", "<s>", "</s>"] + BYTES, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    data = json.loads(trained.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if t["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.pre_tokenizer = None
    return tokenizer


def template(tokenizer, bos, eos=None):
    single = f"{bos} $A" + (f" {eos}" if eos else "")
    names = [bos] + ([eos] if eos else [])
    return processors.TemplateProcessing(single=single, special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])


def fallback_decoder(strip):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))


def gpt2():
    tokenizer = train(byte_level(), 700, ["<|endoftext|>"], BYTE_LEVEL)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def llama2():
    tokenizer = fallback_model(900)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.post_processor = template(tokenizer, "<s>")
    tokenizer.decoder = fallback_decoder(strip=True)
    return tokenizer


def mistral():
    tokenizer = fallback_model(700)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.post_processor = template(tokenizer, "<s>", "</s>")
    tokenizer.decoder = fallback_decoder(strip=True)
    return tokenizer


def gemma():
    tokenizer = fallback_model(800)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.add_special_tokens(["<bos>", "<eos>", "<end_of_turn>"])
    tokenizer.add_tokens([AddedToken("\n" * n, normalized=False) for n in range(1, 32)] + [AddedToken("\t", normalized=False)])
    tokenizer.post_processor = template(tokenizer, "<bos>")
    tokenizer.decoder = fallback_decoder(strip=False)
    return tokenizer


def llama3():
    pre = pre_tokenizers.Sequence([split(LLAMA3), byte_level(use_regex=False)])
    tokenizer = train(pre, 800, [], BYTE_LEVEL, ignore_merges=True)
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    data = json.loads(tokenizer.to_str())
    data["model"]["vocab"]["Ġencode(text"] = len(data["model"]["vocab"]) + 3  # reached without merging only
    data["model"]["vocab"]["Straße"] = len(data["model"]["vocab"]) + 3
    data["added_tokens"].append({**data["added_tokens"][0], "id": data["model"]["vocab"]["Straße"], "content": "Straße",
                                 "special": False})
    tokenizer = Tokenizer.from_str(json.dumps(close_gaps(data)))
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template(tokenizer, "<|begin_of_text|>")])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def close_gaps(data):
    """Renumbers added tokens behind the vocabulary."""
    vocab = {t: i for i, t in enumerate(data["model"]["vocab"])}
    data["model"]["vocab"] = vocab
    free = len(vocab)
    for token in data["added_tokens"]:
        token["id"] = vocab.get(token["content"], free)
        free += token["content"] not in vocab
    return data


def qwen2():
    pre = pre_tokenizers.Sequence([split(QWEN2), byte_level(use_regex=False)])
    tokenizer = train(pre, 700, [], BYTE_LEVEL, normalizer=normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("[MASK]", lstrip=True, normalized=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def o200k():
    pre = pre_tokenizers.Sequence([split(O200K), byte_level(use_regex=False)])
    tokenizer = train(pre, 700, ["<|endoftext|>"], BYTE_LEVEL)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def deepseek():
    pre = pre_tokenizers.Sequence([
        split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"),
        split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
              "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"),
        byte_level(use_regex=False)])
    tokenizer = train(pre, 700, ["<|endoftext|>"], BYTE_LEVEL)
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 0), ("<|endoftext|>", 0))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def words():
    """Characters in, with unknown ones; every kind of added token; no decoder."""
    normalizer = normalizers.Sequence([
        normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(),
        normalizers.Replace(Regex(r"\s+"), " "), normalizers.NFC()])
    pre = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    tokenizer = train(pre, 400, ["[UNK]", "[CLS]", "[SEP]"], normalizer=normalizer, unk_token="[UNK]")
    tokenizer.add_tokens([
        AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False), AddedToken("[STRIP]", rstrip=True),
        AddedToken("wholeword", single_word=True), AddedToken("MixedCase", normalized=True)])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def metaspace():
    tokenizer = train(pre_tokenizers.Metaspace(), 500, ["<unk>", "<s>", "</s>"], unk_token="<unk>", fuse_unk=True)
    tokenizer.add_tokens([AddedToken("[MASK]", lstrip=True, single_word=True)])
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.post_processor = template(tokenizer, "<s>", "</s>")
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def splits():
    """Split behaviors other than `isolated`, seen through a model that would merge across."""
    tokenizer = train(pre_tokenizers.Split(Regex(r"[^aeiou]{40}"), "isolated"), 600, ["<unk>"], unk_token="<unk>")
    tokenizer.normalizer = normalizers.NFD()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\d"), "contiguous"), pre_tokenizers.Split("e", "merged_with_next"),
        pre_tokenizers.Split(Regex(r"[,.;]"), "merged_with_previous"), pre_tokenizers.Split(Regex(r"[a-z ]+"), "removed", True),
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split(" ", "merged_with_previous", True),
        pre_tokenizers.Split(Regex("o*"), "isolated")])
    tokenizer.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace("th", "T"), decoders.Strip("e", 1, 0)])
    return tokenizer


def prefixed():
    tokenizer = train(byte_level(prefix=True), 500, ["<s>", "</s>", "[MASK]"], BYTE_LEVEL)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    return tokenizer


MODELS = [gpt2, llama2, mistral, gemma, llama3, qwen2, o200k, deepseek, words, metaspace, splits, prefixed]


def expected(tokenizer, seed):
    encodings = []
    for text in CASES + random_texts(seed, 60):
        ids = tokenizer.encode(text).ids
        encodings.append({
            "text": text, "ids": ids, "plain": tokenizer.encode(text, add_special_tokens=False).ids,
            "decoded": tokenizer.decode(ids), "verbatim": tokenizer.decode(ids, skip_special_tokens=False)})
    generator = random.Random(seed)
    size = tokenizer.get_vocab_size()
    decodings = []
    for count in list(range(1, 30)) * 2:
        ids = [generator.randrange(size + 2) if generator.random() < 0.5 else generator.randrange(min(size, 260)) for _ in range(count)]
        decodings.append({"ids": ids, "decoded": tokenizer.decode(ids), "verbatim": tokenizer.decode(ids, skip_special_tokens=False)})
    return {"encodings": encodings, "decodings": decodings}


def main():
    if sys.argv[1:2] == ["fuzz"]:
        pathlib.Path(sys.argv[2]).write_text(json.dumps(random_texts(int(sys.argv[3]), int(sys.argv[4]))))
        return
    for index, make in enumerate(MODELS):
        folder = HERE / make.__name__
        folder.mkdir(exist_ok=True)
        tokenizer = make()
        data = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(data)
        tokenizer = Tokenizer.from_str(data)
        result = json.dumps(expected(tokenizer, index), ensure_ascii=True, separators=(",", ":"))
        (folder / "expected.json").write_text(result.replace('},{"', '},\n{"'))


if __name__ == "__main__":
    main()
