"""A small database in the packaged form, for the tests of what is done with one."""

import json
from pathlib import Path

from valueflow.hub_assets.publish.package import package_table

ROWS = [
    {
        "text": f"{word} power, text {i}.",
        "value": "power",
        "intensity": x,
        "source": "made-up",
        "license": "CC-BY-4.0",
        "filtered": i % 2,
    }
    for i, (word, x) in enumerate(
        [("I hold", 8 - 2 * i) for i in range(4)] + [("I reject", -2 * i) for i in range(4)]
    )
]


def package(folder: Path, rows: list[dict[str, object]], **options: object) -> Path:
    table = folder.with_suffix(".json")
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text(json.dumps(rows))
    return package_table(table, folder, **options).folder  # type: ignore[arg-type]
