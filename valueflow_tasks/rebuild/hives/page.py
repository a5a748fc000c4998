"""The page of an evaluation: bars against baselines, a map of value vectors, a heat map."""

import base64
import html
import importlib
import importlib.util
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from valueflow.hub_assets.files import write_bytes, write_csv, write_text
from valueflow.rebuild.hives.evaluation import HIGHER_IS_BETTER, Evaluated, EvaluatedTheory
from valueflow.results.style import COLOURS, GREY, Drawing, style

__all__ = ["value_map", "write_page"]

_SHOWN = {"hives": COLOURS[0], "base": COLOURS[1], "tf-idf": COLOURS[2], "random": GREY}


def write_page(found: Evaluated, model: str, folder: Path) -> Path:
    """Writes `evaluation.html`, `evaluation.csv` and the figures as PNG and SVG.

    Args:
        found: from `evaluate_model`.
        model: its name, for the heading.
        folder: where to.

    Returns:
        The page.

    Raises:
        InputFileError: the folder cannot be written to.
    """
    write_csv(
        folder / "evaluation.csv",
        ("model", "metric", "theory", "split", "value", "low", "high"),
        [record.model_dump() for record in found.records()],
    )
    parts = [
        f"<h1>Evaluation of {html.escape(Path(model).name)} ({html.escape(found.split)})</h1>",
        *(f"<p>{html.escape(note)}</p>" for note in found.notes),
    ]
    with style():
        for theory in found.theories:
            parts.append(
                f"<h2>{theory.theory}: {theory.texts:,} texts of {theory.groups:,} groups</h2>"
            )
            for drawing in (_bars(theory), _map(theory), _heat(theory)):
                parts.append(_shown(drawing, folder))
    page = folder / "evaluation.html"
    write_text(
        page,
        '<!doctype html><meta charset="utf-8"><title>Evaluation</title><style>body{font:15px/1.5 '
        "sans-serif;max-width:56em;margin:2em auto;padding:0 1em}img{max-width:100%}</style>"
        + "\n".join(parts)
        + "\n",
    )
    return page


def value_map(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Places of value vectors in the plane, shape (values, 2), and how they were found: by umap
    where it is installed and there are enough values, else by principal components."""
    if len(vectors) > 15 and importlib.util.find_spec("umap") is not None:
        made = importlib.import_module("umap").UMAP(
            n_components=2, random_state=0, metric="cosine", n_neighbors=5
        )
        return np.asarray(made.fit_transform(vectors), dtype=float), "umap"
    centred = vectors - vectors.mean(axis=0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    places = left * scale
    places = np.hstack([places, np.zeros((len(places), 2))])[:, :2]
    return places, "principal components"


def _bars(theory: EvaluatedTheory) -> Drawing:
    figure = Figure(figsize=(8, 3.4))
    axes = figure.subplots()
    names = [name for name in HIGHER_IS_BETTER if name in theory.figures["hives"]]
    models = list(theory.figures)
    width = 0.8 / len(models)
    for number, model in enumerate(models):
        there = [
            (i, theory.figures[model][n]) for i, n in enumerate(names) if n in theory.figures[model]
        ]
        x = [i + (number - (len(models) - 1) / 2) * width for i, _ in there]
        y = [f.value for _, f in there]
        bars = [[f.value - f.low for _, f in there], [f.high - f.value for _, f in there]]
        colour = _SHOWN.get(model) or COLOURS[2 + number % (len(COLOURS) - 2)]
        axes.bar(x, y, width, color=colour, label=model)
        axes.errorbar(x, y, yerr=np.maximum(bars, 0), fmt="none", ecolor="#222222", linewidth=0.8)
    axes.set_xticks(range(len(names)), [name.replace(" (", "\n(") for name in names])
    axes.axhline(0, color="#444444", linewidth=0.6)
    axes.legend(ncols=len(models), loc="upper left", bbox_to_anchor=(0, 1.14))
    return Drawing(
        f"bars_{theory.theory}",
        "The model beside baselines",
        "Higher is better. Lines are 95 % intervals by text group.",
        f"Bars of {', '.join(names)} for {', '.join(models)}.",
        figure,
    )


def _map(theory: EvaluatedTheory) -> Drawing:
    figure = Figure(figsize=(6, 4.6))
    axes = figure.subplots()
    places, way = value_map(theory.value_vectors["hives"])
    axes.scatter(places[:, 0], places[:, 1], color=COLOURS[0], s=24)
    for name, place in zip(theory.values, places, strict=True):
        axes.annotate(
            name, (float(place[0]), float(place[1])), xytext=(4, 3), textcoords="offset points"
        )
    axes.set_xticks([])
    axes.set_yticks([])
    return Drawing(
        f"map_{theory.theory}",
        "Value vectors",
        f"The mean vectors of the values' texts, centred, in the plane ({way}).",
        f"A map of {len(theory.values)} values.",
        figure,
    )


def _heat(theory: EvaluatedTheory) -> Drawing:
    vectors = theory.value_vectors["hives"]
    figure = Figure(figsize=(5.6, 4.8))
    axes = figure.subplots()
    image = axes.imshow(vectors @ vectors.T, cmap="RdBu_r", vmin=-1, vmax=1)
    ticks = range(len(theory.values))
    axes.set_xticks(ticks, list(theory.values), rotation=90)
    axes.set_yticks(ticks, list(theory.values))
    figure.colorbar(image, ax=axes, shrink=0.8)
    return Drawing(
        f"cosines_{theory.theory}",
        "The hierarchy as cosines",
        "Cosines of the centred value vectors, in the order of the hierarchy.",
        f"A heat map of the cosines of {len(theory.values)} values.",
        figure,
    )


def _shown(drawing: Drawing, folder: Path) -> str:
    svg, png = io.StringIO(), io.BytesIO()
    drawing.figure.savefig(svg, format="svg", metadata={"Date": None, "Title": drawing.title})
    drawing.figure.savefig(png, format="png", dpi=150)
    write_text(folder / "figures" / f"{drawing.name}.svg", svg.getvalue())
    write_bytes(folder / "figures" / f"{drawing.name}.png", png.getvalue())
    source = base64.b64encode(svg.getvalue().encode()).decode()
    return (
        f"<h3>{html.escape(drawing.title)}</h3>"
        f'<img alt="{html.escape(drawing.alt)}" src="data:image/svg+xml;base64,{source}">'
        f"<p>{html.escape(drawing.caption)}</p>"
    )
