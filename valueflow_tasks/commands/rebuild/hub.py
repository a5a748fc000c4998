"""The commands `valueflow pull`, `package` and `push`."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from valueflow.commands.options import mapping_option
from valueflow.commands.screen import examples, say, show_tables
from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.registry.records import Asset

__all__ = ["package_command", "pull_command", "push_command"]


CATALOGUE_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _say(text: str) -> None:
    say(text, err=True)


@click.command(
    "pull",
    epilog=examples(
        "valueflow pull vidb",
        "valueflow pull all",
        "valueflow pull hives --offline",
        "valueflow pull ORG/NAME@v1.0 --kind hives",
        "valueflow pull ORG/NAME@v1.1",
        "valueflow pull ORG/PROFILES@v1 --kind profiles",
        "valueflow pull ORG/NAME --columns '{text: sentence, intensity: mark, range: 1..5}'",
    ),
)
@click.argument(
    "what",
    nargs=-1,
    metavar="[vidb|hives|queries|questions|profiles|all|ASSET|ORG/NAME@REV]...",
)
@click.option(
    "--kind",
    type=click.Choice(["vidb", "hives", "corpus", "queries", "questions", "profiles"]),
    default="vidb",
    show_default=True,
    help="What an ORG/NAME@REV holds.",
)
@click.option(
    "--columns",
    help="Your names for columns of anchors, as '{text: sentence}', and their scale, as "
    "'{range: 1..5}'; the task takes the same as -T vidb_columns=...",
)
@click.option("--offline", is_flag=True, help="Look into the cache only.")
@click.option("--catalogue", type=CATALOGUE_FILE, help="YAML file with assets of your own.")
def pull_command(
    what: tuple[str, ...], kind: str, columns: str | None, offline: bool, catalogue: Path | None
) -> None:
    """Bring texts, queries and models to this machine, and check them.

    Files come from the Hugging Face Hub into its usual cache, at the revision that the registry
    names; `all` where nothing is given. Code in a repository is neither fetched nor run, and
    weights come as safetensors only; a model's published corpus and vectors come with it. What
    has a manifest is checked against it; for what has none, the hash is shown, which the
    registry can pin. Afterwards everything works without a network.
    """
    _no_bars_in_a_pipe()
    from valueflow.hub_assets.publish import pull as hub_pull
    from valueflow.hub_assets.registry.loading import open_catalogue

    registry = open_catalogue(catalogue) if catalogue else None
    given = mapping_option("columns", columns)
    assets: dict[Any, Asset] = {}
    for name in what or ("all",):
        found = hub_pull.wanted_assets(name, kind, registry)
        if not found:
            _say(f"The registry has no asset of the kind '{name}'.")
        assets |= {(asset.name, asset.revision): asset for asset in found}
    failed = []
    wanted = list(assets.values())
    for asset in wanted:
        try:
            pulled = hub_pull.pull_asset(asset, columns=given, offline=offline, registry=registry)
        except ValueflowError as error:
            failed.append(f"{asset.name}: {error}")
            continue
        wanted += hub_pull.assets_of(pulled)
        rows = "" if pulled.rows is None else f", {pulled.rows:,} rows"
        say(pulled.name)
        say(f"  from     {pulled.where}{' = ' + pulled.commit if pulled.commit else ''}")
        say(f"  here     {pulled.folder}")
        say(f"  has      {pulled.files} files{rows}")
        say(f"  sha256   {pulled.sha256}")
        say(f"  checked  {pulled.checked}")
        for note in pulled.notes:
            say(f"  note     {note}")
    if failed:
        raise click.ClickException("\n".join(failed))


@click.command(
    "package",
    epilog=examples(
        "valueflow package scored.parquet -o vidb",
        'valueflow package scored.csv -o vidb --columns "{text: sentence, intensity: mark}"',
        "valueflow package scored.jsonl -o vidb --source my-texts --license CC-BY-4.0",
        "valueflow package scored.csv -o vidb --held-out test.txt --notes notes.md",
    ),
)
@click.argument("table", metavar="TABLE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write, whole or not at all.",
)
@click.option("--columns", help="Your names for columns, as '{text: sentence}'.")
@click.option("--source", help="Source of all rows, where the table has no such column.")
@click.option("--license", help="Licence of all rows, where the table has no such column.")
@click.option(
    "--held-out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Texts or split hashes that are kept for tests, one a line.",
)
@click.option(
    "--notes",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Markdown to put into the card.",
)
@click.option("--construction", help="How intensities came about, as '{ranking: 20 windows}'.")
@click.option(
    "--leave-out-restricted",
    is_flag=True,
    help="Leave out rows whose licence forbids passing them on.",
)
@click.option("--overwrite", is_flag=True, help="Replace a folder that is there.")
@click.option("--catalogue", type=CATALOGUE_FILE, help="YAML file with values of your own.")
def package_command(
    table: str,
    output: Path,
    columns: str | None,
    source: str | None,
    license: str | None,
    held_out: Path | None,
    notes: Path | None,
    construction: str | None,
    leave_out_restricted: bool,
    overwrite: bool,
    catalogue: Path | None,
) -> None:
    """Turn a TABLE of scored texts into a database folder, ready to push.

    TABLE (CSV, TSV, JSONL, JSON, Parquet, or a folder of these, one per value) has the columns
    text, value, intensity, source and license; optional are theory, path, direction,
    intensity_se, utility, n_comparisons, split_hash and filtered. All faults of all rows are
    listed at once.
    """
    from valueflow.hub_assets.publish.package import package_table
    from valueflow.hub_assets.registry.loading import open_catalogue

    _need_jinja2()
    with Console(stderr=True).status("Reading, checking and writing ..."):
        packaged = package_table(
            table,
            output,
            columns=mapping_option("columns", columns),
            default_source=source,
            default_license=license,
            held_out=held_out,
            notes=notes,
            construction=mapping_option("construction", construction),
            leave_out_restricted=leave_out_restricted,
            overwrite=overwrite,
            registry=open_catalogue(catalogue) if catalogue else None,
        )
    for note in packaged.notes:
        _say(f"Note: {note}")
    rows = ", ".join(f"{count:,} {split}" for split, count in packaged.rows.items())
    say(f"{packaged.folder}: {packaged.values} values, rows: {rows}")


@click.group("push")
def push_command() -> None:
    """Push a database or an embedding model to the Hugging Face Hub."""


def _push_options(command: Any) -> Any:
    """What every push takes."""
    for option in reversed(
        [
            click.option("--repo", required=True, metavar="ORG/NAME", help="The repository."),
            click.option(
                "--tag", required=True, help="The new version, such as v1.1; no tag is ever moved."
            ),
            click.option("--dry-run", is_flag=True, help="Check and compare, and change nothing."),
            click.option(
                "-o",
                "--output",
                type=click.Path(path_type=Path, file_okay=False),
                help="With --dry-run: folder for what would be pushed.",
            ),
            click.option("--offline", is_flag=True, help="With --dry-run: do not ask the Hub."),
            click.option(
                "--replace",
                "replace_foreign",
                is_flag=True,
                help="Overwrite and take out files in the repository that valueflow did not make.",
            ),
            click.option(
                "--create-pr", is_flag=True, help="Propose the commit; tag it after the merge."
            ),
            click.option("--private", is_flag=True, help="Make a new repository private."),
        ]
    ):
        command = option(command)
    return command


def _check_push(dry_run: bool, output: Path | None, offline: bool) -> None:
    """Checks, before anything is read, options that only a dry run has."""
    _no_bars_in_a_pipe()
    if (offline or output) and not dry_run:
        raise OptionError("output" if output else "offline", "goes with --dry-run")
    _need_jinja2()


@push_command.command(
    "vidb",
    epilog=examples(
        "valueflow push vidb vidb --repo ORG/NAME --tag v1.1 --dry-run",
        "valueflow push vidb vidb --repo ORG/NAME --tag v1.1",
        "valueflow push vidb vidb --repo ORG/NAME --tag v1.2 --create-pr",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_push_options
@click.option(
    "--simulated",
    is_flag=True,
    help="Push a database that a simulated judge made; it stays marked.",
)
@click.option(
    "--catalogue",
    type=CATALOGUE_FILE,
    help="YAML file with values of your own, which FOLDER must carry as it is.",
)
def push_vidb_command(
    folder: Path,
    repo: str,
    tag: str,
    dry_run: bool,
    output: Path | None,
    offline: bool,
    replace_foreign: bool,
    simulated: bool,
    catalogue: Path | None,
    create_pr: bool,
    private: bool,
) -> None:
    """Check a packaged FOLDER, and push it as one commit with a tag.

    Schema, ranges, repeated texts, licences, held-out texts and files are checked first, and all
    problems are listed at once; so are files in the repository that valueflow did not make. The
    card and the manifest are written anew with the version and with what changed since the one
    before. Log in with `hf auth login`.
    """
    from valueflow.hub_assets.publish import push as hub_push
    from valueflow.hub_assets.registry.loading import open_catalogue

    _check_push(dry_run, output, offline)
    plan = hub_push.plan_push(
        folder,
        repo,
        tag,
        replace_foreign=replace_foreign,
        simulated=simulated,
        registry=open_catalogue(catalogue) if catalogue else None,
        offline=offline,
        say=_say,
    )
    _carry_out([plan], dry_run, output, private, create_pr)


@push_command.command(
    "hives",
    epilog=examples(
        "valueflow hives evaluate hives/model hives --split test --record",
        "valueflow push hives hives --repo ORG/NAME --tag v1.0 --dry-run -o preview",
        "valueflow push hives hives --repo ORG/NAME --tag v1.0",
        "valueflow push hives hives --repo ORG/NAME --tag v1.0 --no-corpus --encoded vectors",
        "valueflow push hives hives/model --repo ORG/NAME --tag v1.0 --base-license Apache-2.0",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_push_options
@click.option("--corpus-repo", metavar="ORG/NAME", help="Of the corpus. Default: REPO-corpus.")
@click.option("--no-corpus", is_flag=True, help="Push the model alone.")
@click.option(
    "--leave-out-restricted",
    is_flag=True,
    help="Leave out texts of the corpus whose licence forbids passing them on.",
)
@click.option(
    "--encoded",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of `valueflow encode` with this model's vectors, to go with it.",
)
@click.option("--base-license", help="Licence of the base model, where it is not known.")
@click.option(
    "--base-model", metavar="ORG/NAME", help="The base on the Hub, where it was a folder."
)
@click.option(
    "--notes",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Markdown to put into the model's card.",
)
def push_hives_command(
    folder: Path,
    repo: str,
    tag: str,
    dry_run: bool,
    output: Path | None,
    offline: bool,
    replace_foreign: bool,
    create_pr: bool,
    private: bool,
    corpus_repo: str | None,
    no_corpus: bool,
    leave_out_restricted: bool,
    encoded: Path | None,
    base_license: str | None,
    base_model: str | None,
    notes: Path | None,
) -> None:
    """Check a trained FOLDER, and push its model, and its corpus, each as one commit with a tag.

    FOLDER is that of `valueflow build hives`, or a model alone. The corpus goes to a dataset
    repository first. Files, licences of base and texts, and text groups on two sides of a split
    are checked before anything is sent; all problems are listed at once. The model's card has
    its evaluation (`valueflow hives evaluate --record`), recipe, licence, and what changed since
    the version before. Log in with `hf auth login`.
    """
    import tempfile

    from valueflow.hub_assets.files import read_text
    from valueflow.rebuild.hives.publishing import Extras, plan_hives

    _check_push(dry_run, output, offline)
    if no_corpus and (corpus_repo or leave_out_restricted):
        option = "corpus-repo" if corpus_repo else "leave-out-restricted"
        raise OptionError(option, "says something of the corpus, and --no-corpus leaves it out")
    # On the same disk as the model, where that can be, so that its files can be linked to.
    beside = folder.resolve().parent
    place = beside if os.access(beside, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".push-", dir=place) as work:
        plans = plan_hives(
            folder,
            repo,
            tag,
            Path(work),
            corpus_repo=None if no_corpus else corpus_repo or f"{repo}-corpus",
            leave_out_restricted=leave_out_restricted,
            extras=Extras(
                base_license, base_model, encoded, read_text(notes) if notes is not None else ""
            ),
            replace_foreign=replace_foreign,
            offline=offline,
            say=_say,
        )
        _carry_out(plans, dry_run, output, private, create_pr)


def _carry_out(
    plans: Sequence[Any], dry_run: bool, output: Path | None, private: bool, create_pr: bool
) -> None:
    """Shows what several pushes do, and does it, one after the other."""
    from valueflow.hub_assets.publish import push as hub_push

    for plan in plans:
        for note in plan.notes:
            _say(f"Note: {note}")
        _show_changes(plan.manifest.changes)
    if dry_run:
        for plan in plans:
            _show_plan(plan)
            if output is not None and not plan.standing:
                place = output if len(plans) == 1 else output / plan.kind.name
                hub_push.write_plan(plan, place)
                say(f"What would be pushed lies in {place}")
        passed = " and ".join(f"{plan.repo_id}@{plan.tag}" for plan in plans)
        say(f"Nothing was changed. {passed} passes all checks.")
        return
    for plan in plans:
        reference = f"{plan.repo_id}@{plan.tag}"
        if plan.standing:
            say(f"{reference} = {plan.standing}\nis there already with these very files.")
            continue
        pushed = hub_push.push(plan, private=private, create_pr=create_pr, say=_say)
        if pushed.tag:
            say(f"{reference} = {pushed.commit}\n{pushed.url}")
            say(f"Use it: {plan.kind.use.format(ref=reference)}")
        else:
            say(f"Proposed: {pushed.url}")
            set_tag = f"hf repos tag create {plan.repo_id} {plan.tag}"
            say(f"When it is merged: {set_tag} --repo-type {plan.kind.repo_type}")


def _show_plan(plan: Any) -> None:
    if plan.standing:
        say(f"{plan.repo_id}@{plan.tag} has these very files already")
        return
    for name in (*plan.manifest.files, "README.md", "valueflow-manifest.json"):
        say(f"would upload {name}")
    for name in plan.deleted:
        say(f"would delete {name}")


def _show_changes(changes: Any) -> None:
    if not changes:
        return
    title = f"Changes since {changes['since']}"
    if "splits" not in changes:
        table = Table("theory", "split", "figure", changes["since"], "now", title=title)
        for row in changes["figures"]:
            cells = (f"{row['old']:.3f}", f"{row['new']:.3f}")
            table.add_row(row["theory"], row["split"], row["metric"], *cells)
        for split, theories in changes.get("value_vectors", {}).items():
            for theory, found in theories.items():
                if found["moved"] is not None:
                    told = "mean change of value vectors (1 − cosine)"
                    table.add_row(theory, split, told, "", f"{found['moved']:.3f}")
        for split, reason in changes["other_texts"].items():
            _say(f"Note: no comparison on the split {split}: {reason}")
        show_tables([table])
        return
    counts = ("added", "removed", changes["changed"], "unchanged")
    table = Table("split", *counts, "correlation", title=title)
    for split, found in changes["splits"].items():
        r = found.get("correlation")
        table.add_row(split, *(f"{found[c]:,}" for c in counts), "" if r is None else f"{r:.4f}")
    show_tables([table])


def _no_bars_in_a_pipe() -> None:
    """Progress bars are huggingface_hub's, which reads this when it is first imported."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _need_jinja2() -> None:
    if find_spec("jinja2") is None:
        raise click.ClickException(
            "the card needs jinja2: python -m pip install 'valueflow[report]'"
        )
