"""The task `valueflow/steer`: steer one value at a time and measure it.

inspect eval valueflow/steer --model X --model-role grader=Y -T values=benevolence,power
"""

import sys
from importlib.metadata import version
from typing import Any, get_args

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric

from valueflow.evaluator_options import evaluator_settings, planned_windows
from valueflow.hub_assets.queries import Query, choose_queries, load_queries
from valueflow.hub_assets.registry import Registry, Value, load_registry
from valueflow.hub_assets.sample_settings import SAMPLE_KEY, EvaluatorSettings
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.vidb import Anchor, load_vidb
from valueflow.options import (
    clear_errors,
    columns_option,
    given,
    levels_option,
    number_option,
    values_option,
)
from valueflow.scorers.intensity_scorer import intensity
from valueflow.solvers.exemplars import choose_exemplars
from valueflow.solvers.steering_solver import check_method, steer_values
from valueflow.solvers.wording import WORDING_VERSION, Style

__all__ = ["steer"]


@task
@clear_errors
def steer(
    theory: str | None = None,
    values: str | list[str] | None = None,
    levels: str | int | list[Any] | None = None,
    method: str | None = None,
    queries: str | None = None,
    query_columns: dict[str, str] | None = None,
    n_queries: int | str | None = None,
    vidb: str | None = None,
    vidb_columns: dict[str, str] | None = None,
    windows: int | None = None,
    window_size: int | None = None,
    sampling: str | None = None,
    panel: str | None = None,
    exemplars: int | None = None,
    style: str = "system",
    word_limit: int | None = None,
    judge_attempts: int | None = None,
    target_se: float | None = None,
    cell_windows: int | None = None,
    design_scale: float | None = None,
    judge_mode: str | None = None,
    seed: int | None = None,
) -> Task:
    """Steers a model toward one value at a time, at each level, and measures the intensity.

    Each query is answered once without steering (level 0) and once per value and level; the default
    response is scored on every value of the run. Samples are ordered query by query, so `--limit`
    keeps whole designs when it is a multiple of 1 + values × (levels − 1).

    Args:
        theory: `pvq` (default), `mft`, `duty` or `right`, in any usual spelling.
        values: names of values; all values of the theory where not given.
        levels: some of -2, -1, 0, 1, 2 (all); 0 is always generated.
        method: `definition` (default) or `user_texts`.
        queries: query set: `queries-mini` (embedded), a file or folder, `ORG/NAME@REVISION`.
        query_columns: column names of the query set, such as `{query: prompt}`.
        n_queries: how many queries, drawn evenly over their families (20), or `all`.
        vidb: anchors: `vidb-mini` (embedded), a file or folder, `ORG/NAME@REVISION`.
        vidb_columns: column names of the anchors, such as `{text: sentence, intensity: score}`.
        windows: ranking windows per response and value (3).
        window_size: texts in a window, the response included (6).
        sampling: anchors per window: `bucket` (default), `random`, `fixed` or `adaptive`.
        panel: table of anchors for `sampling=fixed`.
        exemplars: texts per target for `method=user_texts` (3).
        style: where the persona stands: `system` (default), `user`, or `base` for base models.
        word_limit: most words of a response (100).
        judge_attempts: most questions to the judge for one window (3).
        target_se: with `sampling=adaptive`, stop asking about a response at this standard deviation
            of its posterior.
        cell_windows: budget of windows for each cell, shared evenly among its responses.
        design_scale: the judge's scale that `sampling=adaptive` assumes (0.3).
        judge_mode: `ranking` (default), or `choice`: the judge names only the most supporting
            text, and its probabilities are read from the logprobs of one token.
        seed: seed of every draw (0).
    """
    registry = load_registry()
    defaults = registry.defaults.steer
    chosen_values = values_option(registry, values, theory)
    chosen_levels = levels_option(registry, levels)
    method = method or defaults.method
    check_method(method, style)
    count = number_option("exemplars", given(exemplars, defaults.exemplars), 1)
    run_seed = number_option("seed", given(seed, defaults.seed), 0)
    limit = number_option("word_limit", given(word_limit, defaults.word_limit), 1)
    loaded = load_queries(
        queries or defaults.queries, columns_option("query_columns", query_columns)
    )
    chosen = choose_queries(loaded.queries, given(n_queries, defaults.n_queries), run_seed)
    settings = evaluator_settings(
        chosen_values,
        vidb=vidb,
        vidb_columns=vidb_columns,
        windows=windows,
        window_size=window_size,
        sampling=sampling,
        panel=panel,
        judge_attempts=judge_attempts,
        target_se=target_se,
        cell_windows=cell_windows,
        design_scale=design_scale,
        judge_mode=judge_mode,
        responses=len(chosen),
        seed=run_seed,
        held_out=count if method == "user_texts" else 0,
    )
    if method == "user_texts":
        _check_exemplars(chosen_values, chosen_levels, settings, count)
    samples = _samples(chosen, chosen_values, chosen_levels, settings, limit)
    planned = {
        "queries": len(chosen),
        "generations": len(samples),
        "judge_calls": len(chosen_values)
        * len(chosen_levels)
        * planned_windows(settings, len(chosen)),
    }
    _print_plan(registry, chosen_values, chosen_levels, planned, settings, loaded.notes)
    style_checked: Style = next(s for s in get_args(Style) if s == style)
    return Task(
        dataset=MemoryDataset(samples, name=f"{chosen_values[0].theory} steering"),
        solver=steer_values(method=method, style=style_checked, exemplars=count),
        scorer=intensity(),
        version=1,
        headline_metric=HeadlineMetric(metric="range"),
        metadata={
            "valueflow": version("valueflow"),
            "wording": WORDING_VERSION,
            "values": [f"{value.theory}:{value.name}" for value in chosen_values],
            "levels": chosen_levels,
            "method": method,
            "queries": loaded.source.reference,
            "queries_revision": loaded.source.revision,
            "queries_sha256": loaded.source.sha256[:16],
            "planned": planned,
            "evaluator": settings.model_dump(),
        },
    )


def _check_exemplars(
    values: list[Value], levels: list[int], settings: EvaluatorSettings, count: int
) -> None:
    vidb = load_vidb(settings.vidb, settings.columns)
    for value in values:
        anchors: tuple[Anchor, ...] = vidb.of(value)
        for level in levels:
            if level:
                choose_exemplars(anchors, value, level, count, generator_for(0, "check"))


def _samples(
    queries: list[Query],
    values: list[Value],
    levels: list[int],
    settings: EvaluatorSettings,
    word_limit: int,
) -> list[Sample]:
    """Samples query by query: the default first, then value by value and level by level."""
    samples = []
    evaluator = settings.model_dump()
    for index, query in enumerate(queries):
        shared = {
            "query": query.id,
            "family": query.family,
            "query_index": index,
            "queries": len(queries),
            "word_limit": word_limit,
            "evaluator": evaluator,
        }
        every = [[value.theory, value.name] for value in values]
        samples.append(_sample(query, "default", {"targets": [], "score_on": every, **shared}))
        for value in values:
            for level in levels:
                if level:
                    targets = [[value.theory, value.name, level]]
                    score_on = [[value.theory, value.name]]
                    samples.append(
                        _sample(
                            query,
                            f"{value.name}{level:+d}",
                            {"targets": targets, "score_on": score_on, **shared},
                        )
                    )
    return samples


def _sample(query: Query, condition: str, settings: dict[str, Any]) -> Sample:
    return Sample(id=f"{query.id}/{condition}", input=query.text, metadata={SAMPLE_KEY: settings})


def _print_plan(
    registry: Registry,
    values: list[Value],
    levels: list[int],
    planned: dict[str, int],
    settings: EvaluatorSettings,
    notes: tuple[str, ...],
) -> None:
    names = ", ".join(value.name for value in values)
    lines = [
        f"valueflow: {len(values)} values ({names}), levels {', '.join(map(str, levels))}, "
        f"{planned['queries']} queries",
        f"valueflow: planned {planned['generations']:,} generations and "
        f"{'at most ' if settings.target_se else ''}{planned['judge_calls']:,} judge calls "
        f"({settings.sampling} windows of {settings.window_size}; retries not counted; --limit and "
        "--epochs change both)",
        *(f"valueflow: queries: {note}" for note in notes),
    ]
    asset = registry.assets.get(settings.vidb)
    if asset is not None and asset.note:
        lines.append(f"valueflow: anchors from {asset.name}. {asset.note}")
    # On standard error and before Inspect's display starts, so that it stays readable.
    print("\n".join(lines), file=sys.stderr, flush=True)
