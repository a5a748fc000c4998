"""What a survey run says of itself: in its log and, before it starts, on the screen."""

from importlib.metadata import version
from typing import Any

from valueflow.hub_assets.registry.loading import load_registry
from valueflow.hub_assets.survey.sample import OpinionSample
from valueflow.scorers.survey.answers import READER_VERSION
from valueflow.solvers.survey_wording import sample_prompt
from valueflow.solvers.wording import Style
from valueflow.steering.plan import PlannedSample, counts_in, run_size, size_note
from valueflow.survey.design import OpinionDesign, counts_of

__all__ = [
    "notes_of",
    "plan_lines",
    "planned_counts",
    "planned_samples",
    "profile_notes",
    "run_metadata",
    "sample_id",
]


def sample_id(one: OpinionSample) -> str:
    """A sample's name in every harness: question, group and pass, without commas or brackets."""
    group = load_registry().opinion.group(one.group)
    return f"{one.question}/{group.safe_name}/{one.pass_name}"


def run_metadata(design: OpinionDesign) -> dict[str, Any]:
    """What a log says of the run, as plain data."""
    found: dict[str, Any] = {
        "valueflow": version("valueflow"),
        "wording": design.told.registry.sentences.version,
        "language": design.told.language,
        "answer_reader": READER_VERSION,
        "passes": list(design.passes),
        "groups": [group.name for group in design.groups],
        "data": design.data.source.reference,
        "data_revision": design.data.source.revision,
        "data_sha256": design.data.source.sha256[:16],
        "dropped": dict(design.data.dropped),
        "left_out": design.left_out,
        "holdout": design.holdout,
        "seed": design.seed,
        "planned": planned_counts(design),
        "notes": [*design.data.notes, *design.notes],
    }
    if design.preset is not None:
        found["preset"] = design.preset.model_dump()
    if design.profiles is not None:
        found |= {
            "theory": design.theory,
            "lines": design.lines,
            "threshold": design.threshold,
            "profiles": design.profiles.source.reference,
            "profiles_sha256": design.profiles.source.sha256[:16],
            "leakage": design.leakage,
            "with_profile_lines": design.with_lines,
        }
    if design.relevance is not None:
        found |= {
            "relevance": design.relevance.source.reference,
            "relevance_sha256": design.relevance.source.sha256[:16],
            "relevance_model": design.relevance.model,
            "relevance_method": design.relevance.method,
            "relevance_prompt": design.relevance.prompt_version,
        }
    return found


def planned_counts(design: OpinionDesign) -> dict[str, int]:
    """Planned numbers of questions, groups, samples, and generations: a prompt is asked once."""
    messages = {"modular_pluralism": ("heard by the model",)}
    prompts = {sample_prompt(s, "system", messages.get(s.pass_name, ())) for s in design.samples}
    counts = counts_of(design.samples)
    return {**counts, "samples": counts["generations"], "generations": len(prompts)}


def planned_samples(design: OpinionDesign, style: Style, tokens: int) -> list[PlannedSample]:
    """What each sample asks for; one whose prompt stood before it asks for nothing.

    Answers of the communities of Modular Pluralism, which are other models', are not counted.
    """
    messages = {"modular_pluralism": ("heard by the model",)}
    seen = set()
    found = []
    for one in design.samples:
        prompt = sample_prompt(one, style, messages.get(one.pass_name, ()))
        again = prompt in seen
        seen.add(prompt)
        length = len(prompt.system or "") + len(prompt.user)
        found.append(PlannedSample(None if again else length, 0, float(tokens), refusal=False))
    return found


def plan_lines(design: OpinionDesign) -> list[str]:
    """What is printed before a run, one line each: what it asks, then what a reader should know."""
    planned = planned_counts(design)
    size = run_size()
    run = size.of(planned_samples(design, "system", 0))
    generations, _ = counts_in(run)
    same = len(run) - generations
    told = size_note(size, planned["samples"]).replace("change both", "change it")
    told = f" ({told.removeprefix('; ')})" if told else ""
    shared = f"; {same:,} samples have the prompt and so the answer of another" if same else ""
    lines = [
        f"{planned['questions']:,} questions, {planned['groups']} groups, passes "
        f"{', '.join(design.passes)}: {generations:,} generations{told}{shared}"
    ]
    return [f"valueflow: {line}" for line in [*lines, *profile_notes(design), *notes_of(design)]]


def profile_notes(design: OpinionDesign) -> list[str]:
    """How many prompts have profile lines and by what rule; nothing without a profile pass."""
    if design.profiles is None:
        return []
    profile = sum(sample.pass_name == "profile" for sample in design.samples)
    by = "every question (threshold 0)"
    if design.threshold and design.relevance:
        by = f"relevance of at least {design.threshold:g} by {design.relevance.model}"
    return [
        f"{design.lines} {design.theory} lines from {design.profiles.source.reference} in "
        f"{design.with_lines:,} of {profile:,} profile prompts: {by}"
    ]


def notes_of(design: OpinionDesign) -> list[str]:
    """What was left out, what is known of leakage, and what the question set says of itself."""
    notes = [*design.data.notes, *design.notes]
    notes += [f"{count:,} rows left out: {reason}" for reason, count in design.left_out.items()]
    asset = load_registry().assets.get(design.data.source.reference)
    if asset is not None and asset.note:
        notes.append(f"{asset.name}: {asset.note}")
    return notes
