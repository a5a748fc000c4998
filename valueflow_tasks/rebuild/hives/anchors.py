"""Cross-theory anchors made by judges: proposed, pooled, and voted on as a database's texts are.

    anchors/proposals.jsonl      what each seat proposed for each value (a store of judgements)
    anchors/candidates.jsonl     the pooled candidates, near duplicates once
    anchors/import, categorize   the panel's stage on them, with its store and its queue
    anchors/individual.jsonl     accepted instances, with the nodes that they tie to
    anchors/theory.jsonl         accepted concepts that at least two theories share

Every seat proposes, and then all seats vote on every candidate of anybody about all values of all
theories, without knowing whose it is: that finds which values an instance shows besides the one it
was proposed for, and which concepts theories share. What the panel is divided on is reviewed by
people as in a database (`valueflow review DIR/anchors`), and taken up by the next run.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from inspect_ai.model import Model

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.value_anchors import AnchorKind, ValueAnchor, read_anchors
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.vidb.schema import normalised
from valueflow.rebuild.database.categorize.stage import categorize
from valueflow.rebuild.database.curate import representatives
from valueflow.rebuild.database.folder import (
    Settings,
    check_begun,
    finish,
    finished,
    hash_of,
    read_lines,
    write_lines,
)
from valueflow.rebuild.database.judging import Budget, Question, ask_all, make_judge
from valueflow.rebuild.database.recipe import (
    SourceSpec,
    TextsRecipe,
    fingerprint,
    key_of,
    own_definitions,
)
from valueflow.rebuild.database.running.stages import import_stage
from valueflow.rebuild.hives.recipe import AnchorBuildSpec, HivesRecipe
from valueflow.scorers.database.panel.proposals import (
    PROPOSALS_CORRECTION,
    PROPOSALS_VERSION,
    proposals_prompt,
    read_proposals,
)
from valueflow.scorers.judge.asking import ask
from valueflow.scorers.judge.calls.store import open_store

__all__ = ["anchor_notes", "build_anchors", "recipe_anchors"]

KINDS: tuple[AnchorKind, ...] = get_args(AnchorKind)


def recipe_anchors(recipe: HivesRecipe, folder: Path) -> list[ValueAnchor]:
    """The individual and the theory anchors of a recipe, those that tie a theory of its own.

    Args:
        recipe: which says where they are from.
        folder: of the build, where judges made them.

    Raises:
        InputFileError: they were to be made by judges, and were not yet.
    """
    spec = recipe.anchors
    theories = {value.theory for value in recipe.wanted()}
    found: list[ValueAnchor] = []
    tables = {"individual": spec.individual, "theory": spec.theory}
    for kind in KINDS:
        given = tables[kind]
        path = recipe.path(given) if given else None
        if spec.build is not None:
            path = folder / "anchors" / f"{kind}.jsonl"
            if not path.is_file():
                raise InputFileError(path, "is not there yet; build without --until first")
            if not path.stat().st_size:
                continue  # The panel accepted none, which the stage has told.
        found += read_anchors(kind, path)
    return [a for a in found if theories & {name.partition(":")[0] for name in a.nodes}]


def build_anchors(recipe: HivesRecipe, folder: Path, budget: Budget) -> dict[str, Any]:
    """Runs the stage, or passes over what is done already; see the module's text.

    Args:
        recipe: whose `anchors.build` says who proposes and votes.
        folder: of the build.
        budget: most calls.

    Returns:
        Counts: candidates, anchors of both kinds, candidates that wait for people.

    Raises:
        ValueflowError: the budget is spent, or a judge failed; all that was said is kept.
    """
    spec = recipe.anchors.build
    assert spec is not None
    place = folder / "anchors"
    proposed = _propose(recipe, spec, place, budget)
    candidates = _pooled(proposed, spec)
    write_lines(place / "candidates.jsonl", candidates)
    if not candidates:
        raise InputFileError(place / "proposals.jsonl", "holds no candidate; mend the judges")
    derived = TextsRecipe(
        catalogue=recipe.catalogue,
        theories=recipe.theories,
        values=recipe.values,
        wording=recipe.wording,
        seed=recipe.seed,
        connections=recipe.connections,
        sources=(
            SourceSpec(
                path=str((place / "candidates.jsonl").resolve()),
                source="proposed by judges",
                license=spec.license,
            ),
        ),
        categorize=spec.categorize(),
        folder=recipe.folder,
    )
    import_stage(derived, place)
    told = categorize(derived, place, budget)
    source = place / "categorize" / "rows.jsonl"
    part = place / "individual.jsonl"
    mark = fingerprint(hash_of(source), hash_of(place / "candidates.jsonl"))
    if (done := finished(part, mark)) is not None:
        return done
    anchors = _accepted(candidates, place)
    write_lines(place / "theory.jsonl", anchors["theory"])
    write_lines(part, anchors["individual"])
    counts = {
        "candidates": len(candidates),
        **{f"{kind}_anchors": len(rows) for kind, rows in anchors.items()},
        "unresolved": told["unresolved"],
        "unreadable_answers": told["unreadable_answers"],
    }
    finish(part, mark, counts)
    return counts


def anchor_notes(folder: Path, counts: Mapping[str, Any]) -> list[str]:
    """What a reader should know of the anchors that were made."""
    notes = []
    if waiting := counts["unresolved"]:
        place = folder / "anchors"
        notes.append(
            f"the panel is divided on {waiting:,} rows of candidates; `valueflow review {place}` "
            "shows them, and the next run takes the decisions up"
        )
    for kind in KINDS:
        if not counts[f"{kind}_anchors"]:
            notes.append(f"no candidate was accepted as {kind} anchor")
    return notes


def _propose(
    recipe: HivesRecipe, spec: AnchorBuildSpec, place: Path, budget: Budget
) -> list[tuple[AnchorKind, str]]:
    """All that seats proposed, in the order of values and seats."""
    seats, values = spec.panel(), recipe.wanted()
    wanted = {"individual": spec.instances, "theory": spec.concepts}
    if len({value.theory for value in values}) < 2:
        wanted["theory"] = 0  # What two theories share is nothing that one can have.
    kinds = [kind for kind in KINDS if wanted[kind]]
    own = own_definitions(recipe.registry, values)
    path = place / "proposals.jsonl"
    settings = Settings(
        {
            "judges": [seat.model_dump(mode="json") for seat in seats],
            "version of the question": PROPOSALS_VERSION,
            "wording": recipe.wording,
            "definitions": own,
            "instances": spec.instances,
            "concepts": spec.concepts,
        },
        {"seed": recipe.seed, "values": [key_of(value) for value in values]},
    )
    asked_by = fingerprint(spec.judges, wanted, PROPOSALS_VERSION, own, *recipe.told)
    found: list[tuple[AnchorKind, str]] = []
    with open_store(path) as store:
        check_begun(path, asked_by, "anchors", settings)
        judges = [make_judge(recipe, seat, budget) for seat in seats]

        def questions() -> Iterator[Question]:
            for value in values:
                for kind in kinds:
                    for seat, judge in enumerate(judges):
                        yield _question(recipe, value, kind, wanted[kind], seat, judge)

        total = len(values) * len(kinds) * len(judges)
        ask_all(questions(), total, store, recipe, budget, "anchors")
        for value in values:
            for kind in kinds:
                for seat in range(len(judges)):
                    said = store.rows[_key(value, kind, seat)]["answer"] or []
                    found += [(kind, text) for text in said]
    return found


def _question(
    recipe: HivesRecipe, value: Value, kind: AnchorKind, count: int, seat: int, judge: Model
) -> Question:
    spec = recipe.anchors.build
    assert spec is not None
    theory = recipe.registry.theories[value.theory]

    async def put() -> dict[str, Any]:
        reply = await ask(
            judge,
            proposals_prompt(theory, value, kind, count),
            lambda output: read_proposals(output.completion, kind, count),
            PROPOSALS_CORRECTION,
            attempts=spec.attempts,
            version=f"proposals {PROPOSALS_VERSION}",
        )
        if reply.error is not None:
            return {"error": reply.error}
        return {"judge": str(judge), "answer": reply.found, "calls": reply.calls}

    return Question(_key(value, kind, seat), put)


def _key(value: Value, kind: AnchorKind, seat: int) -> str:
    return f"{kind}/{key_of(value)}/{seat}"


def _pooled(proposed: list[tuple[AnchorKind, str]], spec: AnchorBuildSpec) -> list[dict[str, Any]]:
    """Candidates of both kinds, each text once; a text that is both is an instance."""
    kind_of: dict[str, AnchorKind] = {}
    for kind, text in sorted(proposed, key=lambda one: KINDS.index(one[0])):
        kind_of.setdefault(text, kind)
    named = {str(number): text for number, text in enumerate(kind_of)}
    stands_for = representatives(named, spec.near_duplicates)
    kept = [text for number, text in named.items() if stands_for[number] == number]
    return [{"text": text, "kind": kind_of[text]} for text in kept]


def _accepted(
    candidates: list[dict[str, Any]], place: Path
) -> dict[AnchorKind, list[dict[str, Any]]]:
    """Anchors of both kinds with the nodes that the panel found them to support."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for row in read_lines(place / "categorize" / "rows.jsonl", "categorize"):
        if row["direction"] == "support":
            nodes[normalised(row["text"])].append(
                f"{row['theory']}:{row['path'].rpartition('/')[2]}"
            )
    found: dict[AnchorKind, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for candidate in candidates:
        tied = sorted(set(nodes[normalised(candidate["text"])]))
        theories = {name.partition(":")[0] for name in tied}
        if len(theories) >= (2 if candidate["kind"] == "theory" else 1):
            found[candidate["kind"]].append({"text": candidate["text"], "nodes": tied})
    return found
