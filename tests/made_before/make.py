"""Makes the files that `tests/test_made_before.py` reads: what users had before a change.

    python tests/made_before/make.py FOLDER                      new files, and their figures
    python tests/made_before/make.py FOLDER --figures            the figures of files that are there
    python tests/made_before/make.py FOLDER --figures estimator  only those of the estimator

`FOLDER/expected.json` holds, for every artefact, two parts. `always` is what was read, and figures
that no later version may change: windows, responses, refusals, the published estimator, the order
of a judge's answers. `estimator` is what the default estimator makes of them; where its version
rises on purpose, write that part anew with the last command, and review the difference.

Never make the files themselves anew where old ones are to be read: their age is their worth. All
of it runs offline on simulated models and public commands. Needs the extra `lm-eval`.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import get_model

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.made_before import models, reading
from valueflow import steer
from valueflow.hub_assets import load_registry

RESPONDENT = ("--model", "valueflow/respondent")
SMALL = ("-T", "values=power,benevolence", "-T", "levels=-2,0,2", "-T", "n_queries=2")
JUDGE = ("--model-role", "grader=valueflow/judge")
# Refused and hand-written responses state no intensity; the judge makes one up.
ANY_TEXT = "model: valueflow/judge, model_args: {unknown: hash"

RUNS: dict[str, Sequence[str]] = {
    "steer": ("steer", *RESPONDENT, *JUDGE, *SMALL, "-T", "levels=-2,-1,0,1,2", "-T", "windows=2"),
    "steer_refusals": (
        *("steer", *RESPONDENT, "-M", "refusal_rate=0.3", "-T", "refusals=rank"),
        *("--model-role", f"grader={{{ANY_TEXT}, failure_rate: 0.35}}}}"),
        *(*SMALL, "-T", "windows=2", "-T", "judge_attempts=1", "--epochs", "2"),
    ),
    "steer_choice": (
        *("steer", *RESPONDENT, "--model-role"),
        "grader={model: valueflow/judge, model_args: {scale: 0.5}}",
        *(*SMALL, "-T", "windows=2", "-T", "judge_mode=choice"),
    ),
    "steer_adaptive": (
        *("steer", *RESPONDENT, "-M", "gain_up=3", *JUDGE, *SMALL),
        *("-T", "sampling=adaptive", "-T", "windows=3", "-T", "target_se=2"),
    ),
    "steer_pair": (
        *("steer_pair", *RESPONDENT, *JUDGE, "-T", "n_queries=2", "-T", "windows=1"),
        *("-T", "pairs=power+benevolence", "-T", "levels=2/2,2/-2", "-T", "singles=true"),
    ),
    "steer_five": ("steer_five", *RESPONDENT, *JUDGE, "-T", "n_queries=2", "-T", "windows=1"),
    "steer_composite": (
        *("steer_composite", *RESPONDENT, *JUDGE, "-T", "n_queries=2", "-T", "windows=1"),
        *("-T", "values=benevolence", "-T", "levels=-2,2"),
    ),
    "score": (
        *("score", "--model", "none", "-T", "responses=responses.csv", "-T", "windows=1"),
        *("--model-role", f"grader={{{ANY_TEXT}}}}}"),
    ),
    "opinionqa": (
        *("opinionqa", *RESPONDENT, "-M", "opinion_refusals=0.15", "-M", "opinion_form=mixed"),
        *("-T", "relevance=survey/relevance.parquet", "-T", "threshold=0.95", "-T", "lines=4"),
        *("-T", "profiles=survey/profiles.csv", "-T", "attributes=SEX", "-T", "n_questions=4"),
        *("-T", "logprobs=true"),
    ),
}
"""The logs, by name: `inspect eval valueflow/...`."""

CATALOGUE = {
    "theories": {
        "craft": {
            "title": "Values of a workshop",
            "source": "Made up for a test.",
            "nodes": {
                "thrift": {
                    "title": "Thrift",
                    "kind": "value",
                    "definition": "A thrifty person wastes nothing.",
                    "clause": "wasting nothing",
                },
                "finish": {
                    "title": "Finish",
                    "kind": "value",
                    "definition": "A person who values finish wants every piece to look perfect.",
                    "clause": "making every piece look perfect",
                },
            },
        }
    },
    "pairs": [{"theory": "craft", "values": ["thrift", "finish"], "levels": [[2, 2], [2, -2]]}],
    "assets": {"craft-anchors": {"kind": "vidb", "title": "Our anchors", "path": "anchors.csv"}},
}

WORDS = ("at home", "at work", "among friends", "in hard times", "when nobody looks", "by law")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--figures", choices=["all", "estimator"], nargs="?", const="all")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.figures is None:
        if folder.exists():
            parser.error(f"{folder} is there already, and old files are not made anew")
        make_files(folder)
        # A process knows the catalogues of its runs, and the figures are for one that knows none.
        subprocess.run([sys.executable, __file__, str(folder), "--figures"], check=True)
    else:
        write_figures(folder, only=options.figures)


def make_files(folder: Path) -> None:
    """Makes all artefacts in a neutral folder, with relative paths, and takes them to `folder`."""
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {
            "HF_HUB_OFFLINE": "1",
            "INSPECT_DISPLAY": "none",
            "INSPECT_LOG_DIR": str(Path(name, "raw")),
            "INSPECT_CACHE_DIR": str(Path(name, "inspect-cache")),
            "INSPECT_TRACE_FILE": str(Path(name, "trace.log")),
            "VALUEFLOW_CACHE_DIR": str(Path(name, "study", "lm_eval", "cache")),
        }
        study = Path(name, "study").resolve()
        study.mkdir()
        before = Path.cwd()
        os.chdir(study)
        try:
            make_inputs()
            make_rankings()
            for run in RUNS:
                make_log(run, study)
            make_catalogue_log(study)
            make_database()
            make_lm_eval(study)
        finally:
            os.chdir(before)
        shutil.copytree(study, folder)
    check_neutral(folder, name)


def write_figures(folder: Path, only: str | None) -> None:
    """Writes `expected.json`, or its part `estimator`, from the files of a folder."""
    path = folder / "expected.json"
    told = json.loads(path.read_text()) if only == "estimator" else {}
    for name, read in reading.ARTEFACTS.items():
        with tempfile.TemporaryDirectory() as work:
            # Nothing that was judged on this machine before may be found again.
            os.environ["INSPECT_CACHE_DIR"] = work
            found = read(reading.opened(folder, Path(work)))
        told[name] = {**told.get(name, {}), **(found if only != "estimator" else {})}
        told[name]["estimator"] = found["estimator"]
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=True)
    path.write_text(text + "\n", encoding="utf-8")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([columns, *rows])


def make_inputs() -> None:
    """What users write by hand: responses, profiles, a catalogue with anchors; and a relevance
    table, which a judge makes."""
    responses = []
    for level in (-2, 0, 2):
        for model in ("older", "newer"):
            for query, words in enumerate(WORDS[:2]):
                stance = {-2: "I want no say over others", 0: "It depends", 2: "I must lead"}[level]
                text = "" if (level, model, query) == (0, "older", 1) else f"{stance} {words}."
                responses.append([f"Question {query}?", text, "power", level, model])
    write_table(Path("responses.csv"), ("query", "response", "value", "level", "model"), responses)
    table = Path("survey/relevance.parquet")
    table.parent.mkdir()
    rated = ("--judge", "made_before/rater", "--theory", "duty", "-o", str(table))
    reading.command("build", "relevance", "opinionqa-mini", *rated)
    values = [value.name for value in load_registry().theory("duty").values]
    hashes = reading.parquet(table)["question"]
    scores = [
        [group, "duty", value, round(((8 * i + 5 * g) % 21 - 10) / 10, 2), hashes[0]]
        for g, group in enumerate(("SEX_Female", "SEX_Male"))
        for i, value in enumerate(values)
    ]
    columns = ("group", "theory", "value", "score", "questions")
    write_table(Path("survey/profiles.csv"), columns, scores)
    catalogue = Path("catalogue/craft.yaml")
    catalogue.parent.mkdir()
    catalogue.write_text(yaml.safe_dump(CATALOGUE, sort_keys=False))
    anchors = [
        [f"{value.capitalize()} matters {how} {where}.", value, intensity]
        for value in ("thrift", "finish")
        for how, intensity in (("not", -8), ("little", -4), ("somewhat", 0.5), ("a lot", 4.5))
        for where in WORDS[:2]
    ] + [
        [f"{value.capitalize()} is all that counts {where}.", value, 8.5]
        for value in ("thrift", "finish")
        for where in WORDS[:2]
    ]
    write_table(Path("catalogue/anchors.csv"), ("text", "value", "intensity"), anchors)


def make_rankings() -> None:
    """Rankings that users saved: JSONL with all that its form allows, and the published CSV."""
    Path("rankings").mkdir()
    anchors = [-8.0, -4.0, 0.5, 4.0, 8.0]
    lines = []
    for item in range(8):
        level = "+2" if item % 2 else "0"
        for window in range(2):
            place = (3 * item + window) % 6
            behind = (2 + item % 2 * 2 + window * (item % 3 - 1)) % 6
            order: list[Any] = [5, 4, 3, 2, 1]
            order.insert(5 - behind, 0)
            record: dict[str, Any] = {
                "item": f"q{item // 2}",
                "cell": f"power/{level}",
                "value": "power",
                "query": f"q{item // 2}",
                "anchors": anchors,
                "order": order,
                "position": place,
                "source": "a field of the user's own",
            }
            if (item, window) == (2, 1):
                record["order"] = [5, [0, 4], 3, 2, 1]
            if (item, window) == (3, 0):
                record["order"] = [5, 0]
            if item == 4:
                record |= {"order": None, "failure": "not a ranking"}
            if (item, window) == (5, 1):
                record |= {"shown": [3, 1, 0, 5, 2, 4], "position": 2}
            lines.append(json.dumps(record) + "\n")
    lines.append('{"item": "q9", "cell": "power/0", "val')
    Path("rankings/saved.jsonl").write_text("".join(lines))
    published = []
    for row in range(6):
        order = [6, 5, 4, 3, 2]
        order.insert((row * 2) % 6, 1)
        cells = [c for i, a in enumerate(anchors) for c in (f"Anchor {i + row % 2}.", a)]
        ranking = "no ranking" if row == 4 else json.dumps(order)
        published.append([row, f"Response {row}.", *cells, ranking])
    columns = [c for i in range(1, 6) for c in (f"db_text_{i}", f"db_score_{i}")]
    write_table(
        Path("rankings/benevolence_strong.csv"),
        ("row_idx", "target_text", *columns, "ranking"),
        published,
    )


def make_log(name: str, study: Path) -> None:
    """Runs a task by Inspect's command."""
    raw = Path("..", "raw", name)
    inspect("eval", f"valueflow/{RUNS[name][0]}", *RUNS[name][1:], "--log-dir", str(raw))
    keep_log(name, raw, study)


def make_catalogue_log(study: Path) -> None:
    """Runs the task with values of the user's own, from Python: a simulated judge that Inspect's
    command makes knows the registry's values alone."""
    raw = Path("..", "raw", "catalogue")
    inspect_eval(
        steer(
            catalogue="catalogue/craft.yaml", theory="craft", levels=[-2, 2], n_queries=2, windows=1
        ),
        model="valueflow/respondent",
        model_roles={"grader": get_model("made_before/judge", unknown="hash")},
        log_dir=str(raw),
        log_format="json",
        display="none",
    )
    keep_log("catalogue", raw, study)


def keep_log(name: str, raw: Path, study: Path) -> None:
    """Takes a log out of its folder, without events and with `PLACE` for the study's folder."""
    (path,) = (p for p in raw.iterdir() if p.suffix in (".eval", ".json"))
    log = read_eval_log(str(path), resolve_attachments=True)
    assert log.status == "success", log.error
    for sample in log.samples or []:
        # Transcripts are most of a log, and no command of this project reads them.
        sample.events, sample.attachments = [], {}
    plain = Path("..", "raw", f"{name}.json")
    write_eval_log(log, str(plain))
    text = json.dumps(json.loads(plain.read_text())).replace(str(study), reading.PLACE)
    Path("runs").mkdir(exist_ok=True)
    kept = Path("runs", f"{name}{path.suffix}")
    if kept.suffix == ".json":
        kept.write_text(text + "\n")
    else:
        plain.write_text(text)
        write_eval_log(read_eval_log(str(plain)), str(kept))


def make_database() -> None:
    """A database built to its end, with reviews; the same one stopped half-way; a packaged one."""
    folder = Path("database")
    folder.mkdir()
    every = reading.embedded_anchors(("power", "benevolence"))
    known = [row for value in ("power", "benevolence") for row in every if row[0] == value][::3]
    texts = [[text, value] for value, text, _ in known]
    write_table(folder / "texts.csv", ("text", "value"), texts)
    panel = {"model": "made_before/judge", "args": {"seed": 3, "scale": 0.3}}
    recipe = {
        "values": ["benevolence", "power"],
        "sources": [{"path": "texts.csv", "source": "vidb-mini", "license": "CC-BY-4.0"}],
        "categorize": {"judges": [{**panel, "config": {"temperature": 1}, "seats": 3}],
                       "values": "labels", "accept_votes": 3, "accept_lead": 3},
        "curate": {"balance": "none"},
        "rank": {"judge": {"model": "made_before/judge"}, "window_size": 6, "windows_per_text": 4},
        "flag": {"judges": [{**panel, "config": {"temperature": 1}, "seats": 1}],
                 "ask": "suspects"},
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    finished, half = folder / "finished", folder / "half"
    built = ("build", "vidb", str(path), "-o")
    reading.command(*built, str(finished), "--until", "categorize")
    review(finished, "directions", {"Ada": ("support", "none"), "Ben": ("support", "oppose")})
    shutil.copytree(finished, half)
    reading.command(*built, str(finished))
    review(finished, "ratings", {"Ada": (4, -3, 1), "Ben": (5, -4, 0)}, "--sample", "6", "--blind")
    reading.command("build", "package", str(path), "-o", str(finished))
    ranked = reading.paid_calls(finished) - reading.paid_calls(half)
    reading.command(*built, str(half), "--max-calls", str(ranked // 3), fails=True)
    marks = [
        [text, value, intensity, "our texts", "CC-BY-4.0", str(abs(intensity) > 3).lower()]
        for value, text, intensity in known
    ]
    columns = ("text", "value", "intensity", "source", "license", "filtered")
    write_table(Path("packaged.csv"), columns, marks)
    reading.command("package", "packaged.csv", "-o", "packaged")
    for lock in folder.rglob("*.lock"):
        lock.unlink()


def review(folder: Path, queue: str, answers: dict[str, tuple[Any, ...]], *more: str) -> None:
    """Fills an exported queue as a person would in a spreadsheet, and reads it back."""
    for reviewer, given in answers.items():
        sheet = folder.parent / "sheet.csv"
        options = ("review", str(folder), "--queue", queue)
        reading.command(*options, "--export", str(sheet), "--reviewer", reviewer, *more)
        rows = reading.table(sheet)
        assert rows, f"nobody left anything open in {queue}"
        for number, row in enumerate(rows):
            row["answer"] = str(given[number % len(given)])
        write_table(sheet, list(rows[0]), [list(row.values()) for row in rows])
        blind = tuple(option for option in more if option == "--blind")
        reading.command(
            *("review", str(folder), "--import", str(sheet), "--reviewer", reviewer, *blind)
        )
        sheet.unlink()


def make_lm_eval(study: Path) -> None:
    """Runs of lm-evaluation-harness by its own command, on the simulated respondent."""
    import anyio
    from inspect_ai.model import ChatMessageUser, GenerateConfig
    from lm_eval.__main__ import cli_evaluate
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model

    @register_model("made-before")
    class Respondent(LM):
        """Gives the answers of `valueflow/respondent`; a letter is likelier the later it comes."""

        def __init__(self, **_: Any) -> None:
            super().__init__()

        def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
            arguments = {"refusal_rate": 0.15, "opinion_form": "mixed", "opinion_refusals": 0.2}
            model = get_model("valueflow/respondent", **arguments)

            async def answer(prompt: str) -> str:
                asked = [ChatMessageUser(content=prompt)]
                output = await model.api.generate(asked, [], "none", GenerateConfig())
                return output.completion

            return [anyio.run(answer, request.args[0]) for request in requests]

        def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
            return [(-10.0 / ord(request.args[1].strip()[0]), False) for request in requests]

        def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> list[float]:
            raise NotImplementedError

    folder = reading.command("lm-eval", "path").strip()
    small = {"values": ["power", "benevolence"], "levels": [-2, 0, 2], "n_queries": 2, "windows": 2}
    survey = {"attributes": "SEX", "n_questions": 2}
    passes = [f"valueflow_opinionqa_{name}" for name in ("blind", "default", "profile")]
    runs = {
        "steer": (["valueflow_steer_pvq"], {**small, "grader": reading.GRADER}),
        "survey": ([*passes, "valueflow_opinionqa_default_letters"], survey),
    }
    for name, (tasks, options) in runs.items():
        metadata = json.dumps({f"valueflow_{key}": given for key, given in options.items()})
        out = Path("..", "lm-eval", name)
        before = sys.argv
        sys.argv = [
            *("lm_eval", "--model", "made-before", "--tasks", ",".join(tasks)),
            *("--metadata", metadata, "--include_path", folder, "--batch_size", "1"),
            *("--log_samples", "--output_path", str(out), "--device", "cpu"),
        ]
        try:
            cli_evaluate()
        finally:
            sys.argv = before
        kept = Path("lm_eval", name)
        kept.mkdir(parents=True)
        for path in sorted(p for p in out.rglob("*") if p.is_file()):
            # The harness's names end in the time.
            plain = path.stem.rsplit("_20", 1)[0] + path.suffix
            if not plain.startswith(("results", "samples", "windows")):
                continue
            text = path.read_text(encoding="utf-8").replace(str(study.parent), reading.PLACE)
            if plain == "results.json":
                # Versions, processor and paths of the machine stand beside the numbers.
                text = json.dumps({"results": json.loads(text)["results"]}, indent=1) + "\n"
            (kept / plain).write_text(text, encoding="utf-8")
    for lock in Path("lm_eval").rglob("*.lock"):
        lock.unlink()


def inspect(*arguments: str) -> None:
    """Runs Inspect's command, in this process: it takes seconds to start."""
    (found,) = entry_points(group="console_scripts", name="inspect")
    before, sys.argv = sys.argv, ["inspect", *arguments]
    try:
        found.load()()
    except SystemExit as done:
        if done.code:
            raise RuntimeError(f"inspect {' '.join(arguments)}") from done
    finally:
        sys.argv = before


def check_neutral(study: Path, name: str) -> None:
    """Stops where a file names this machine, its user or a folder of it.

    Raises:
        SystemExit: a file does; it is named.
    """
    import getpass
    import re
    import socket

    words = {name, str(Path.home()), str(Path(__file__).parents[2]), str(Path(sys.prefix))}
    words |= {str(Path.cwd()), str(Path(sys.base_prefix)), tempfile.gettempdir()}
    names = {socket.gethostname(), getpass.getuser()} - {"", "root", "localhost"}
    for path in sorted(study.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix in (".eval", ".json") and path.parent.name == "runs":
            text = read_eval_log(str(path)).model_dump_json()
        else:
            text = path.read_bytes().decode("utf-8", "replace")
        found = [word for word in words if len(word) > 1 and word in text]
        found += [w for w in names if re.search(rf"(?<![\w+/=.-]){re.escape(w)}(?![\w+/=-])", text)]
        if found:
            sys.exit(f"{path.relative_to(study)} names {', '.join(sorted(found))}")


if __name__ == "__main__":
    assert models.asked.total() == 0
    main()
