"""Models in use: encoding goes on and refuses what does not fit; leaks are refused."""

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.tiny_encoder import make_tiny, needs_hives, recipe_of
from valueflow.cli import main
from valueflow.hub_assets.errors import InputFileError, OptionError, ValueflowError
from valueflow.rebuild.database.judging import Budget
from valueflow.rebuild.hives import encoding
from valueflow.rebuild.hives.corpus import build_corpus, read_corpus
from valueflow.rebuild.hives.encoding import Encoder, encode_table, model_encoder, server_encoder
from valueflow.rebuild.hives.evaluation import check_unseen, evaluate_model, evaluate_vectors
from valueflow.rebuild.hives.recipe import read_hives_recipe
from valueflow.scorers.database.embedding.neighbours import nearest
from valueflow.scorers.database.embedding.vectors import read_vectors


def lengths(texts: Sequence[str]) -> np.ndarray:
    """A stand-in model: a vector by the text alone."""
    found = np.array([[len(t), t.count("e") + 1, 2] for t in texts], dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


STAND_IN = Encoder("stand-in", "f" * 64, lengths)


def table(folder: Path, rows: int = 10) -> Path:
    path = folder / "t.csv"
    lines = [f"n{i},text number {i} {'e' * i},{'mft' if i % 3 else 'svt'}" for i in range(rows)]
    path.write_text("id,text,theory\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_a_file_a_theory_holds_each_text_under_its_id(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BLOCK", 4)
    done = encode_table(table(tmp_path), tmp_path / "out", STAND_IN, kind=kind)
    assert {path.name: rows for path, rows in done.items()} == {f"pvq.{kind}": 4, f"mft.{kind}": 6}
    found = read_vectors(tmp_path / "out" / f"pvq.{kind}", "f" * 64, 3)
    assert found.ids == ("n0", "n3", "n6", "n9")
    expected = lengths([f"text number {i} {'e' * i}".strip() for i in (0, 3, 6, 9)])
    assert np.allclose(found.vectors, expected)
    with pytest.raises(InputFileError, match="vectors of another model"):
        read_vectors(tmp_path / "out" / f"pvq.{kind}", "0" * 64)
    with pytest.raises(InputFileError, match="of 3 dimensions, and not of 4"):
        read_vectors(tmp_path / "out" / f"pvq.{kind}", None, 4)


def test_encoding_goes_on_behind_the_last_whole_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BLOCK", 4)
    calls = 0

    def breaks(texts: Sequence[str]) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return lengths(texts)

    with pytest.raises(KeyboardInterrupt):
        encode_table(table(tmp_path), tmp_path / "out", Encoder("s", "f" * 64, breaks))
    encode_table(table(tmp_path), tmp_path / "out", Encoder("s", "f" * 64, breaks))
    assert calls == 4
    encode_table(table(tmp_path), tmp_path / "whole", STAND_IN)
    for name in ("pvq.npz", "mft.npz"):
        one, other = (read_vectors(tmp_path / place / name) for place in ("out", "whole"))
        assert one.ids == other.ids
        assert np.array_equal(one.vectors, other.vectors)
    with pytest.raises(InputFileError, match="vectors of another model"):
        encode_table(table(tmp_path), tmp_path / "out", Encoder("other", "0" * 64, lengths))


def test_an_empty_text_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text\na\n \n")
    with pytest.raises(InputFileError, match="row 2, column 'text'"):
        encode_table(path, tmp_path / "out", STAND_IN)


@pytest.fixture
def server() -> Iterator[tuple[str, list[int]]]:
    """An OpenAI-compatible server of embeddings that is busy at first; its answers' statuses."""
    told: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = 429 if not told else 200
            told.append(status)
            vectors = lengths(body["input"]).tolist()
            data = [{"index": i, "embedding": v} for i, v in enumerate(vectors)][::-1]
            answer = json.dumps({"data": data}).encode()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1", told
    httpd.shutdown()


def test_a_server_gives_the_vectors_in_order_and_is_asked_again_when_busy(
    server: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding.time, "sleep", lambda _: None)
    url, told = server
    texts = ["one", "three", "seventeen", "e" * 40]
    with server_encoder(url, "m", 3) as encoder:
        assert np.allclose(encoder.encode(texts), lengths(texts), atol=1e-6)
    assert told == [429, 200, 200]


@needs_hives
@pytest.mark.slow
def test_a_pool_of_processes_gives_the_vectors_of_one(tmp_path: Path) -> None:
    model = str(make_tiny(tmp_path / "tiny"))
    texts = [f"keep the promise {word}" for word in ("a", "friend", "always", "law", "risk")]
    with model_encoder(model, ["cpu"], 2) as one, model_encoder(model, ["cpu", "cpu"], 2) as two:
        assert one.sha256 == two.sha256
        assert np.allclose(one.encode(texts), two.encode(texts), atol=1e-6)


def test_the_nearest_come_first_and_vectors_of_two_models_are_refused() -> None:
    among = np.eye(4)
    found = nearest([[0.1, 1, 0.5, 0]], among, k=3)
    assert found.rows.tolist() == [[1, 2, 0]]
    assert found.cosines[0, 0] > found.cosines[0, 1]
    with pytest.raises(ValueflowError, match="dimensions cannot be compared"):
        nearest([[1.0, 0]], among)


def test_an_evaluation_finds_the_model_that_knows_the_labels(tmp_path: Path) -> None:
    recipe = read_hives_recipe(recipe_of(tmp_path))
    build_corpus(recipe, tmp_path / "out", Budget(0))
    corpus = read_corpus(tmp_path / "out")
    noise = np.random.default_rng(0).normal(size=(len(corpus.rows), 12)).astype(np.float32)
    known = np.hstack([corpus.labels(t).closure for t in corpus.theories]).astype(np.float32)
    wide = np.hstack([noise, np.zeros((len(noise), known.shape[1]))]).astype(np.float32)
    ours = np.hstack([0.3 * noise, known]).astype(np.float32)
    found = evaluate_vectors({"hives": ours, "base": wide}, corpus, "all")
    pvq = found.theories[0]
    better = pvq.differences["rank accuracy (pairwise)"]
    assert better.low > 0.2
    assert pvq.figures["hives"]["probe F1"].value > pvq.figures["base"]["probe F1"].value + 0.2
    assert {record.metric for record in found.records()} >= {"rank accuracy (strict)", "probe F1"}


def test_models_of_one_table_have_names_of_their_own(tmp_path: Path) -> None:
    recipe = read_hives_recipe(recipe_of(tmp_path))
    build_corpus(recipe, tmp_path / "out", Budget(0))
    corpus = read_corpus(tmp_path / "out")
    for beside in (["some/base"], ["one/m", "two/m@v1"]):
        with pytest.raises(OptionError, match="beside: two models of the table would be called"):
            evaluate_model("nowhere", corpus, "all", beside=beside)


def test_texts_that_a_model_was_trained_on_are_refused(tmp_path: Path) -> None:
    from valueflow.hub_assets.inputs.model_folder import write_trained_on

    recipe = read_hives_recipe(recipe_of(tmp_path))
    build_corpus(recipe, tmp_path / "out", Budget(0))
    corpus = read_corpus(tmp_path / "out")
    model = tmp_path / "model"
    write_trained_on(model, [name for row in corpus.of("train").rows for name in row["groups"]])
    check_unseen(model, corpus.of("test"))
    with pytest.raises(
        InputFileError, match=rf"trained on {len(corpus.of('train').rows)} of the 48"
    ):
        check_unseen(model, corpus)


@needs_hives
def test_from_training_to_evaluation_encoding_and_relevance_by_commands(tmp_path: Path) -> None:
    from valueflow import hives

    make_tiny(tmp_path / "base")
    recipe = recipe_of(
        tmp_path, mode="head", stage1={"steps": 20, "batch": 16, "learning_rate": 0.01}
    )
    built, model = tmp_path / "out", tmp_path / "out/model"

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(main, [str(a) for a in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    run("build", "hives", recipe, "-o", built)
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'valueflow[report]'")
    told = run(
        "hives",
        "evaluate",
        model,
        built,
        "--split",
        "test",
        "--theory",
        "pvq",
        "--record",
        "--beside",
        make_tiny(tmp_path / "other", seed=1),
        "--json",
        "-o",
        tmp_path / "page",
        "--device",
        "cpu",
    )
    assert '"figure": "rank accuracy (pairwise)"' in told
    assert '"other": ' in told
    assert (tmp_path / "page/evaluation.html").read_text().count("data:image/svg") == 3
    loaded = hives.load(model, device="cpu")
    assert loaded.manifest is not None
    assert {record.split for record in loaded.manifest.metrics} == {"test"}
    refused = CliRunner().invoke(
        main, ["hives", "evaluate", str(model), str(built), "--split", "train"]
    )
    assert "was trained on" in refused.output
    run("encode", table(tmp_path), "-o", tmp_path / "vectors", "--model", model, "--device", "cpu")
    found = read_vectors(tmp_path / "vectors/mft.npz", loaded.sha256, loaded.dimensions)
    again = hives.encode(loaded, ["text number 1 e"])
    assert np.allclose(found.vectors[0], again[0], atol=1e-6)
    run("build", "relevance", "opinionqa-mini", "--model", model, "-o", tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().count("\n") > 4
