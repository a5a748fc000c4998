"""A folder of a build with two queues, made by hand: no judge is asked."""

import json
from pathlib import Path
from typing import Any

from valueflow.hub_assets.files import write_csv
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.vidb.schema import split_hash_of
from valueflow.rebuild.database.folder import hash_of, stage_file, write_lines

DIVIDED = ("id", "text", "theory", "value", "votes", "direction", "reviewer")
SCALED = ("id", "utility", "utility_se", "intensity", "intensity_se", "n_comparisons")
FLAGGED = ("id", "text", "theory", "value", "direction", "intensity", "intensity_se", "reason")

MARKUP = "<script>document.title = 'run'</script><b>Whoever leads must be obeyed.</b>"
LONG = "\n".join(["A person of rank owes nothing to those below."] * 230)
SCRIPTS = "권력에는 책임이 따른다. السلطة مسؤولية. =1+1 \u202eabc"


def review_folder(folder: Path, divided: int = 4, rows: int = 12, flagged: int = 3) -> Path:
    """`divided` rows of benevolence without a direction, and `rows` scored ones of power, the
    first `flagged` of which are flagged. The first texts hold markup, much, and many scripts."""
    odd = [MARKUP, LONG, SCRIPTS]
    texts = [*odd, *(f"Divided text number {i}." for i in range(3, divided))][:divided]
    open_rows = [
        {"id": split_hash_of(t), "text": t, "theory": "pvq", "value": "benevolence"}
        | {"votes": "oppose:3 support:4"}
        for t in texts
    ]
    write_csv(folder / "categorize" / "queue.csv", DIVIDED, open_rows)
    write_lines(folder / "categorize" / "rows.jsonl", [])
    write_lines(folder / "import" / "texts.jsonl", open_rows)
    value = load_registry().value("power")
    scored: list[dict[str, Any]] = []
    for i in range(rows):
        text = f"{odd[i]} Rated." if i < len(odd) else f"Rated text number {i}."
        row = {"id": split_hash_of(text), "text": text, "theory": "pvq", "value": "power"}
        row |= {"direction": "oppose", "votes": "oppose:7", "path": "power"}
        scored.append(row | {"source": "made up", "license": "CC0-1.0"})
    curated = stage_file(folder, "curate", value, ".jsonl")
    write_lines(curated, scored)
    index = {"value": "pvq:power", "rows": rows, "sha256": hash_of(curated)}
    (folder / "curate" / "values.jsonl").write_text(json.dumps(index) + "\n")
    for i, row in enumerate(scored):
        row |= {"utility": i / 2, "utility_se": 0.3, "intensity": i / 2 + 0.25}
        row |= {"intensity_se": 0.5, "n_comparisons": 9}
    write_csv(stage_file(folder, "scale", value, ".csv"), SCALED, scored)
    odd_rows = [r | {"reason": "ranked as supporting", "flagged": 1} for r in scored[:flagged]]
    columns = ("id", "reason", "odd_votes", "votes", "flagged")
    write_csv(stage_file(folder, "flag", value, ".csv"), columns, odd_rows)
    write_csv(folder / "flag" / "queue.csv", (*FLAGGED, "rating", "reviewer"), odd_rows)
    return folder
