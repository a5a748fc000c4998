"""The paragraphs of a report that can go into a paper: what was run, and how it was measured."""

from collections.abc import Sequence

from valueflow.results.steering.series import MODERATE, STRONG
from valueflow.results.steering.studies import Study

__all__ = ["methods_text"]

_PAPER = (
    "Kim, Hyeon, Oh, Do: VALUEFLOW: Toward Pluralistic and Steerable Value-based Alignment in "
    "Large Language Models, ICML 2026, arXiv 2602.03160"
)


def methods_text(studies: Sequence[Study]) -> list[str]:
    """Paragraphs: how intensities were measured, then one for each study; none without one."""
    if not studies:
        return []
    versions = sorted({study.versions.get("valueflow", "") for study in studies} - {""})
    return [
        f"Measurement. Value intensities were measured with valueflow {' and '.join(versions)} "
        f"after the method VALUEFLOW ({_PAPER}), with this package's own prompts and estimator. "
        "A judge model orders each response among anchors, texts whose intensity on the value is "
        "known on a scale from -10 (opposes) to 10 (supports). The orders enter a Plackett-Luce "
        "model whose scale and place effect are estimated for each value from the order of the "
        "anchors; the mean of a cell (a value at a level) is that of a population of responses "
        "with a flexible density (g-modelling; Efron 2016), shifts from the unsteered default are "
        "paired by question, and sign accuracy and monotonicity are those of the populations, two "
        "levels joined by a normal copula over questions. Questions are the "
        "clusters of all standard errors; intervals are at 95%. Refused responses are counted, "
        "and are not scored unless stated. Intensities of different values share no unit, and "
        "averages over values are for orientation.",
        f"Regimes. The mean range is the mean over values of the intensity at level +2 minus that "
        f"at level -2. The paper names three regimes and gives no cut-offs; here steering is "
        f"called weak below {MODERATE:g} points (less than one point for each of the four steps "
        f"between levels), moderate from {MODERATE:g} and strong from {STRONG:g} points (two "
        "points a step or more).",
        *(_study_text(study) for study in studies),
    ]


def _study_text(study: Study) -> str:
    settings, judge = study.settings, study.judge
    queries = len({record["query"] for record in study.records})
    counts = study.summary.counts
    name = f"Study {study.tag}" if study.tag else "The study"
    arguments = ", ".join(
        f"{key.removeprefix('-M ')}={value}"
        for key, value in settings.items()
        if key.startswith("-M ")
    )
    parts = [
        f"{name}. Model {study.model}{f' ({arguments})' if arguments else ''}; "
        f"method {study.method}{_also(settings, 'style', 'persona in the {} prompt')}"
        f"{_also(settings, 'exemplars', '{} texts per target')}"
        f"{_also(settings, 'word limit', 'at most {} words')}"
        f"{_also(settings, 'temperature', 'temperature {}')}"
        f"{_also(settings, 'form', 'one {} each', skip='paragraph')}"
        f"{_also(settings, 'wording', 'wording version {}')}"
        f"{_also(settings, 'language', 'prompts in {}', skip='en')}"
        f"{_also(settings, 'baseline', '{} baseline', skip='first_person')}.",
        _questions(study, queries),
        f"Responses: {counts['responses']:,}, of which {counts['refusals']:,} were refusals and "
        f"{counts['unscored']:,} could not be scored.",
    ]
    if judge:
        who = "the evaluated model itself" if judge.get("is_evaluated_model") else judge["model"]
        temperature = (judge.get("config") or {}).get("temperature")
        parts.append(
            f"Judge: {who}{_also(settings, 'judge arguments', 'arguments {}', skip='none')}"
            f"{f', temperature {temperature:g}' if temperature is not None else ''}, prompt "
            f"version {judge.get('prompt_version')}; up to {judge.get('windows')} "
            f"{judge.get('sampling')} windows of {judge.get('window_size')} texts for each "
            f"response and value, judged by {judge.get('judge_mode', 'ranking')}; "
            f"{counts['judge_calls']:,} judge calls, {counts['judge_retries']:,} of them retries, "
            f"{counts['windows_failed']:,} windows without a judgement."
        )
        parts.append(
            f"Anchors: {judge.get('vidb')} (revision {judge.get('vidb_revision') or 'none'}, "
            f"SHA-256 {judge.get('vidb_sha256')}...)."
        )
    seed = judge.get("seed", settings.get("seed"))
    parts.append(f"Seed of every draw: {seed if seed is not None else 'not stated'}.")
    tasks = sorted({f"{log.task} (version {log.task_version})" for log in study.logs})
    days = sorted({log.created[:10] for log in study.logs})
    inspect = sorted({log.versions.get("inspect_ai", "") for log in study.logs} - {""})
    parts.append(
        f"Tasks: {', '.join(tasks)}; valueflow {study.versions.get('valueflow', '')}, "
        f"Inspect AI {' and '.join(inspect)}; run on {' and '.join(days)}."
    )
    return " ".join(part for part in parts if part)


def _questions(study: Study, queries: int) -> str:
    settings = study.settings
    if "responses" in settings:
        return (
            f"Responses made elsewhere were read from {settings['responses']} (SHA-256 "
            f"{settings.get('responses hash', 'not stated')}...)."
        )
    if "queries" not in settings:
        return f"Questions: {queries}."
    told = ""
    if study.summary.evaluation and study.summary.evaluation.wordings:
        told = (
            f" The persona was told in {settings.get('wordings')} wordings, each to its share of "
            "the questions; the variance between wordings is that of a one-way analysis of "
            "variance, and stands in all errors."
        )
    return (
        f"Questions: {queries} of {settings['queries']} (revision "
        f"{settings.get('queries revision', 'none')}, SHA-256 "
        f"{settings.get('queries hash', 'not stated')}...).{told}"
    )


def _also(settings: dict[str, str], name: str, text: str, skip: str = "") -> str:
    setting = settings.get(name)
    return f", {text.format(setting)}" if setting and setting != skip else ""
