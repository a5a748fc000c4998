"""The task `valueflow/opinionqa`: survey questions, answered as groups of people would.

inspect eval valueflow/opinionqa --model X -T threshold=0
"""

import sys
from collections.abc import Mapping
from typing import Any, get_args

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig

from valueflow.hub_assets.inputs.options import clear_errors, given, number_option, one_of
from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.settings import ToldSettings, read_options, with_options
from valueflow.hub_assets.survey.sample import OPINION_KEY, OpinionSample
from valueflow.scorers.survey.scorer import option_choice
from valueflow.solvers.communities import communities_named
from valueflow.solvers.survey_solver import answer_as_group
from valueflow.solvers.wording import Style
from valueflow.steering.plan import end_with_plan
from valueflow.steering.settings import PlanSettings
from valueflow.survey.design import OpinionOptions, opinion_design
from valueflow.survey.plan import plan_lines, planned_samples, run_metadata, sample_id

__all__ = ["opinionqa"]

TASK_VERSION = 2
"""Raised when numbers of the same options are no longer comparable."""


@task
@clear_errors
@with_options(PlanSettings, ToldSettings)
def opinionqa(
    preset: str | None = None,
    passes: str | list[str] | None = None,
    method: str = "profile",
    theory: str | None = None,
    lines: int | None = None,
    threshold: float | None = None,
    relevance: str | None = None,
    profiles: str | None = None,
    groups: str | list[str] | None = None,
    attributes: str | list[str] | None = None,
    data: str | None = None,
    data_columns: dict[str, str] | None = None,
    n_questions: int | str = "all",
    holdout: float = 0.0,
    ordinal: str = "stated",
    logprobs: str | bool = "auto",
    style: str = "system",
    answer_tokens: int | None = None,
    seed: int | None = None,
    *,
    options: Mapping[str, Any],
) -> Task:
    """Answers survey questions as groups of people would, and measures how often rightly.

    Each question is asked of each group that has a row in the data, once per pass.

    Args:
        preset: published settings: `qwen3-32b`, `phi-4` or `glm-4-32b`; other options go before.
        passes: some of `blind`, `default`, `profile`, `modular_pluralism`; without it blind and
            default, and profile where a preset, a threshold or a table of relevance is given.
        method: `profile` (default), or `modular_pluralism`, which adds that pass; the communities
            are the models in the roles `community_1`, `community_2`, ...
        theory: theory of the profile lines (duty).
        lines: how many profile lines, half the highest values, half the lowest (4).
        threshold: least relevance, from 0 to 1, of a question that gets profile lines; 0 is every
            question, with or without a table.
        relevance: table from `valueflow build relevance`.
        profiles: `group-value-scores` (published, embedded), or a CSV with the columns group,
            theory, value and score.
        groups: names of groups or attributes; all that the data have where not given.
        attributes: names of attributes.
        data: question set: `opinionqa-mini` (embedded), a file or folder, `ORG/NAME@REVISION`.
        data_columns: column names of the question set, such as `{distribution: shares}`.
        n_questions: how many questions, drawn by the seed, or `all`.
        holdout: share of questions set aside for building profiles, never scored (0).
        ordinal: which options are in order: as the data say (`stated`), `all` or `none`.
        logprobs: ask for the distribution over the letters: `auto` (providers known to give it),
            `true` or `false`.
        style: where the persona stands: `system` (default), `user`, or `base` for base models.
        answer_tokens: most tokens of an answer (32).
        seed: seed of every draw (0).
        options: `plan`: print generations, tokens and money, and end without any call; `prices`:
            table of prices of your own; `wording`, `language` and `prompts`: of all that models are
            told.
    """
    named = one_of("style", style, *get_args(Style))
    chosen_style: Style = next(s for s in get_args(Style) if s == named)
    asked = one_of("logprobs", str(logprobs).lower(), "auto", "true", "false")
    design = opinion_design(
        OpinionOptions(
            preset=preset,
            passes=passes,
            method=method,
            theory=theory,
            lines=lines,
            threshold=threshold,
            relevance=relevance,
            profiles=profiles,
            groups=groups,
            attributes=attributes,
            data=data,
            data_columns=data_columns,
            n_questions=n_questions,
            holdout=holdout,
            ordinal=ordinal,
            seed=seed,
            **{name: options.get(name) for name in ToldSettings.model_fields},
        )
    )
    room = load_registry().defaults.opinionqa.answer_tokens
    tokens = number_option(
        "answer_tokens",
        given(answer_tokens, design.preset.answer_tokens if design.preset else room),
        1,
    )
    print("\n".join(plan_lines(design)), file=sys.stderr, flush=True)
    planned = read_options(PlanSettings, options)
    if planned.plan:
        end_with_plan(planned_samples(design, chosen_style, tokens), prices=planned.prices)
    return Task(
        dataset=MemoryDataset([_sample(one) for one in design.samples], name="OpinionQA"),
        setup=communities_named() if "modular_pluralism" in design.passes else None,
        solver=answer_as_group(style=chosen_style, logprobs=asked),
        scorer=option_choice(),
        config=GenerateConfig(temperature=0.0, max_tokens=tokens),
        version=TASK_VERSION,
        metadata=run_metadata(design),
    )


def _sample(one: OpinionSample) -> Sample:
    return Sample(
        id=sample_id(one),
        input=one.text,
        metadata={OPINION_KEY: one.model_dump(mode="json")},
    )
