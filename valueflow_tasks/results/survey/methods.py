"""The paragraphs on survey runs that can go into a paper: what was asked, how it was counted."""

from collections.abc import Sequence
from typing import Any

from valueflow.results.logs import MODEL_ARGUMENT
from valueflow.results.survey.studies import LEAKED, OpinionStudy

__all__ = ["opinion_methods_text"]

PERSONA = {
    "system": "persona in the system message",
    "user": "persona in the user message",
    "base": "persona and question as one text for a base model to continue",
}


def opinion_methods_text(studies: Sequence[OpinionStudy]) -> list[str]:
    """Paragraphs: how answers were counted, then one for each study."""
    if not studies:
        return []
    versions = sorted({log.versions["valueflow"] for study in studies for log in study.logs} - {""})
    readers = sorted({study.settings.get("answer reader", "") for study in studies} - {""})
    return [
        f"Survey answers. Survey questions were answered by language models as members of "
        f"demographic groups would, with valueflow {' and '.join(versions)} after OpinionQA "
        "(Santurkar et al. 2023, Whose Opinions Do Language Models Reflect?) and VALUEFLOW (Kim et "
        "al. 2026, arXiv 2602.03160), with this package's own prompts. An answer is right where "
        "it names the most frequent option of the group; of options that share the top each is "
        f"right. Answers were read by fixed rules (version {' and '.join(readers)}); answers that "
        "decline or that no rule reads are counted and enter no accuracy. The group-blind majority "
        "names the most frequent option over all groups of a question, each group counting alike: "
        "an oracle, since it is read off the answers to the questions that are scored. "
        "Questions are the clusters of all standard errors, with C/(C-1) for C clusters; "
        "intervals are t intervals on C-1 degrees of freedom at 95%. Passes were compared on the "
        "rows that both answered, by the mean paired difference and by McNemar's exact test on "
        "the first epoch, which takes rows for independent. Distances between the model's and a "
        "group's distribution are the Jensen-Shannon divergence in bits and, on ordered options, "
        "the earth mover's distance as a share of the largest.",
        *(_study_text(study) for study in studies),
    ]


def _study_text(study: OpinionStudy) -> str:
    settings = study.settings
    name = f"Survey study {study.tag}" if study.tag else "The survey study"
    arguments = ", ".join(
        f"{key.removeprefix(MODEL_ARGUMENT)}={value}"
        for key, value in settings.items()
        if key.startswith(MODEL_ARGUMENT)
    )
    parts = [
        f"{name}. Model {study.model}{f' ({arguments})' if arguments else ''}; "
        f"{PERSONA.get(settings.get('style', ''), 'persona as the log says')}"
        f"{_also(settings, 'temperature', 'temperature {}')}"
        f"{_also(settings, 'max_tokens', 'at most {} tokens')}"
        f"{_also(settings, 'wording', 'wording version {}')}. "
        f"Passes: {', '.join(study.passes)}.",
        _data(study),
        _profile(study) if "profile" in study.passes else "",
        _communities(study),
        _answers(study),
        f"Seed of every draw: {settings.get('seed', 'not stated')}.",
    ]
    tasks = sorted({f"{log.task} (version {log.task_version})" for log in study.logs})
    days = sorted({log.created[:10] for log in study.logs})
    inspect = sorted({log.versions["inspect_ai"] for log in study.logs} - {""})
    parts.append(
        f"Tasks: {', '.join(tasks)}; valueflow {settings.get('valueflow version', '')}, "
        f"Inspect AI {' and '.join(inspect)}; run on {' and '.join(days)}."
    )
    return " ".join(part for part in parts if part)


def _data(study: OpinionStudy) -> str:
    settings = study.settings
    asked = (
        f"Data: {settings.get('data', 'not stated')} (revision "
        f"{settings.get('data revision') or 'none'}, SHA-256 "
        f"{settings.get('data hash', 'not stated')}...); {len(study.questions):,} questions, "
        f"{len(study.summary.groups)} groups, {study.summary.counts.get('rows', 0):,} rows of "
        "question, group and epoch."
    )
    share = settings.get("holdout", "0.0")
    apart = "" if share in ("0", "0.0") else f" A share of {share} of the questions was set aside."
    out = "; ".join(f"{count:,} {reason}" for reason, count in study.left_out.items())
    return asked + apart + (f" Rows of the data left out: {out}." if out else "")


def _profile(study: OpinionStudy) -> str:
    settings = study.settings
    own = [record for record in study.records if record["pass_name"] == "profile"]
    with_lines = sum(record["lines"] > 0 for record in own)
    threshold = float(settings.get("threshold", "0"))
    where = "to every question (threshold 0)"
    if threshold:
        where = (
            f"to questions whose relevance is at least {threshold:g} by {settings.get('relevance')}"
            f" (model {settings.get('relevance model', 'not stated')}, method "
            f"{settings.get('relevance method', 'not stated')}, SHA-256 "
            f"{settings.get('relevance hash', 'not stated')}...)"
        )
    told = (
        f"Profile lines: {settings.get('lines')} of the theory {settings.get('theory')} from "
        f"{settings.get('profiles')} (SHA-256 {settings.get('profiles hash', 'not stated')}...), "
        f"given {where}: {with_lines:,} of {len(own):,} prompts of the pass had them."
    )
    preset: dict[str, Any] = _metadata(study, "preset") or {}
    if preset:
        told += f" Settings published for {preset.get('model')} (preset {preset.get('name')})."
    if study.is_leaked:
        return (
            f"{told} The {LEAKED}: the table was computed from the answers to OpinionQA's own "
            "questions, so that gains of the profile pass are no evidence for new questions."
        )
    return f"{told} Leakage {settings.get('leakage', 'not stated')}."


def _communities(study: OpinionStudy) -> str:
    named = {k: v for k, v in study.settings.items() if k.startswith("community ")}
    if not named:
        return ""
    told = "; ".join(f"{name}: {model}" for name, model in named.items())
    return f"Community models of the pass modular_pluralism (Feng et al. 2024): {told}."


def _answers(study: OpinionStudy) -> str:
    counts = study.summary.counts
    lost = study.counts["planned"] - study.counts["in_log"]
    lost += study.counts["error"] + study.counts["without_score"]
    told = (
        f"Answers: {counts['answers']:,}, of which {counts['refused']:,} declined and "
        f"{counts['unparsed']:,} could not be read ({counts['truncated']:,} of them at the limit "
        f"of tokens); {counts.get('gold_ties', 0):,} rows have a tie at the top of the group's "
        "answers."
    )
    return told + (f" {lost:,} planned samples have no score." if lost > 0 else "")


def _metadata(study: OpinionStudy, name: str) -> Any:
    return next((log.metadata[name] for log in study.logs if log.metadata.get(name)), None)


def _also(settings: dict[str, str], name: str, text: str) -> str:
    setting = settings.get(name)
    return f", {text.format(setting)}" if setting else ""
