"""A sentence-transformers model of random weights, small enough to train in a test."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

THERE = importlib.util.find_spec("sentence_transformers") is not None
needs_hives = pytest.mark.skipif(
    not THERE, reason="needs sentence-transformers: pip install 'valueflow[hives]'"
)

_WORDS = """
a the i we you they he she it is are was be to of and in on for not no with my our your keep
kept promise word friend family help care kind old new adventure risk thrill win prize best
power rule order law obey custom prayer feast safe lock police share fair equal nature forest
river enjoy sleep food music money lead boss honest truth sorry repair thank gift learn read
study harm hurt gentle vote free speech work wage home school peace never always must should
"""
WORDS = _WORDS.split()


def make_tiny(folder: Path, *, dimensions: int = 32, seed: int = 0, dropout: float = 0.1) -> Path:
    """Writes the model's folder; the same for the same arguments."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    source = folder.with_name(f"{folder.name}-parts")
    source.mkdir(parents=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    pieces += [c for c in letters if c not in WORDS] + [f"##{c}" for c in letters] + [".", ","]
    (source / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)) + "\n")
    tokenizer = BertTokenizerFast(str(source / "vocab.txt"), do_lower_case=True)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=dimensions,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * dimensions,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(source)
    tokenizer.save_pretrained(source)
    first = Transformer(str(source), max_seq_length=48)
    model = SentenceTransformer(modules=[first, Pooling(dimensions)], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


SAID: dict[str, list[str]] = {
    "pvq:dependability": [
        "keep my promise",
        "kept the word to a friend",
        "always honest with family",
    ],
    "pvq:caring": ["help my family", "care for the old friend", "kind to a friend"],
    "pvq:stimulation": ["a new adventure", "risk is a thrill", "the thrill of the new"],
    "pvq:rules": ["obey the law", "rule and order", "always obey the order"],
    "duty:fidelity": ["my word is kept", "the promise must be kept", "the truth always"],
    "duty:gratitude": ["thank you for the gift", "we thank the friend", "a gift to thank"],
}


def table_of_texts(folder: Path, count: int = 8) -> Path:
    """A table with texts of six labels in two theories, `count` of each."""
    lines = ["text,value,theory,direction,group"]
    for label, said in SAID.items():
        theory, _, node = label.partition(":")
        for number in range(count):
            text = f"{said[number % 3]} {WORDS[(7 * number + len(label)) % len(WORDS)]} {number}"
            lines.append(f"{text},{node},{theory},support,g{number}-{label}")
    path = folder / "texts.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def recipe_of(folder: Path, **train: Any) -> Path:
    """A recipe on that table; `train` goes into its settings of training."""
    import yaml

    table_of_texts(folder)
    settings = {
        "base": "base",
        "mode": "full",
        "device": "cpu",
        "max_seq_length": 24,
        "checkpoint_every": 2,
        "look_every": 2,
        "mean_cosine_limit": 1.0,
        "stage1": {"steps": 6, "batch": 8, "learning_rate": 1e-3, "temperature": 0.5},
        "stage2": None,
    }
    body = {
        "sources": [{"path": "texts.csv", "source": "ours", "license": "CC0-1.0"}],
        "corpus": {"shares": {"train": 0.6, "validation": 0.2, "test": 0.2}},
        "train": {**settings, **train},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(body))
    return path
