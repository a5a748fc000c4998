"""Pushes a packaged asset of any kind to the Hugging Face Hub as one commit with a tag.

Everything is checked first. Tokens are huggingface_hub's own affair (`hf auth login`): none is
taken, kept or shown here, and messages of libraries lose what could be one.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from packaging.version import InvalidVersion, Version

from valueflow.hub_assets.errors import InputFileError, OptionError
from valueflow.hub_assets.files import read_text, write_text
from valueflow.hub_assets.publish.database import DATABASE
from valueflow.hub_assets.publish.kind import Kind, check_folder
from valueflow.hub_assets.registry.loading import Registry, own_theories_text
from valueflow.hub_assets.vidb.download import Download, download, without_secrets
from valueflow.hub_assets.vidb.manifest import (
    CARD,
    CATALOGUE,
    MANIFEST,
    Manifest,
    manifest_text,
    read_manifest,
    sha256_of,
)
from valueflow.hub_assets.vidb.schema import Problem, ProblemsError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["Plan", "Pushed", "plan_push", "push", "write_plan"]

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]*")
_REPO = re.compile(r"[\w.\-]+/[\w.\-]+")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a push will do.

    Attributes:
        folder: the packaged folder; its files go up as they are, but for card and manifest.
        repo_id: `ORG/NAME`.
        tag: the tag to set.
        head: the commit that the repository's main branch is at; None for a new repository.
        manifest: with version and changes.
        card: the card's text.
        deleted: files of the version before that this one does not have, and files of another
            make, which a reader would take for part of the asset.
        notes: what the user should know.
        kind: of asset.
        standing: the commit of the tag `tag` where these very files stand there already, so that
            there is nothing to push; empty otherwise.
    """

    folder: Path
    repo_id: str
    tag: str
    head: str | None
    manifest: Manifest
    card: str
    deleted: tuple[str, ...]
    notes: tuple[str, ...]
    kind: Kind = DATABASE
    standing: str = ""


@dataclass(frozen=True)
class Pushed:
    """What was done: the commit, and where to look at it; the tag is empty for a pull request."""

    commit: str
    url: str
    tag: str


@dataclass(frozen=True)
class _Remote:
    """A repository as it is before the push."""

    head: str | None
    private: bool
    tags: tuple[str, ...]
    files: tuple[str, ...]


def plan_push(
    folder: Path,
    repo_id: str,
    tag: str,
    kind: Kind = DATABASE,
    *,
    replace_foreign: bool = False,
    simulated: bool = False,
    registry: Registry | None = None,
    offline: bool = False,
    reuse: bool = False,
    say: Say = lambda _: None,
) -> Plan:
    """Checks a packaged folder against the schema and the repository, and plans the push.

    Args:
        folder: as the kind is packaged.
        repo_id: `ORG/NAME`.
        tag: the new version, such as `v1.1`.
        kind: of asset.
        replace_foreign: whether files in the repository that valueflow did not make may be
            overwritten or taken out.
        simulated: whether a database that a simulated judge made may be pushed.
        registry: a user's own catalogue that the folder must carry, so that whoever pulls it
            has the names and definitions that it was made with.
        offline: look at the folder only; no changes are computed.
        reuse: whether a tag that has these very files will do, the highest one or `tag` itself;
            the plan then names it and its commit, and has nothing to push.
        say: is told of each step.

    Raises:
        ProblemsError: everything that stands against the push.
        OptionError: a name or tag that the Hub does not take.
        InputFileError: the folder is no packaged one of this kind, or the Hub cannot be asked.
    """
    if not _REPO.fullmatch(repo_id):
        raise OptionError("repo", f"{repo_id!r} is not of the form ORG/NAME")
    if not _TAG.fullmatch(tag) or ".." in tag or re.fullmatch(r"main|[0-9a-f]{40}", tag):
        raise OptionError("tag", f"{tag!r} cannot be a tag; give one such as v1.1")
    say("Checking the folder ...")
    problems = check_folder(folder, kind)
    manifest = read_manifest(folder)
    assert manifest is not None  # check_folder refuses a folder without
    remote = _Remote(None, False, (), ())
    notes = []
    if offline:
        notes.append("The Hub was not asked: tags and changes are not checked.")
    else:
        say(f"Asking the Hub about {repo_id} ...")
        remote = _remote(repo_id, kind)
    since = _version_before(remote.tags)
    compared = tag if reuse and tag in remote.tags else since
    old = _old(repo_id, compared, kind, say)
    same = old is not None and _same(folder, manifest, old, kind)
    if reuse and old is not None and same and not problems:
        at = (folder, repo_id, str(compared), remote.head)
        return Plan(*at, manifest, "", (), (), kind, standing=old.commit)
    if tag in remote.tags:
        message = "is there already, and an existing tag is never moved; choose the next version"
        problems.insert(0, Problem(f"{repo_id}@{tag}", None, "", message))
    else:
        problems[:0] = _order_problems(repo_id, tag, remote.tags)
    foreign = _foreign(repo_id, remote, manifest, kind)
    if (foreign.replaced or foreign.removed) and not replace_foreign:
        problems.insert(
            0,
            Problem(
                repo_id,
                None,
                "",
                f"{foreign.told()}; look at them, and push with --replace where they may go",
            ),
        )
    elif foreign.told():
        notes.append(f"{repo_id} {foreign.told()}.")
    if manifest.simulated and not simulated:
        message = (
            "was made with a simulated judge, and measures nothing; push it with --simulated where "
            "that is meant. Its card says so"
        )
        problems.insert(0, Problem(str(folder), None, "", message))
    if registry is not None and (fault := _catalogue_fault(folder, registry)):
        problems.insert(0, Problem(CATALOGUE, None, "", fault))
    if problems:
        raise ProblemsError(folder, problems)
    changes = None
    if old is not None and since is not None:
        if same:
            message = "is this very data; there is nothing to push"
            raise ProblemsError(folder, [Problem(f"{repo_id}@{since}", None, "", message)])
        changes = kind.changes(old.folder, folder, since)
    elif not offline and remote.head is not None:
        notes.append("There is no version before; everything is new.")
    elif not offline:
        notes.append(f"The Hub shows you no {repo_id}; the push will create it.")
    manifest = replace(manifest, version=tag, changes=changes)
    card = kind.card(folder, manifest, repo_id)
    manifest = replace(manifest, card_sha256=_sha256(card))
    deleted = tuple(sorted({*foreign.gone, *foreign.removed}))
    return Plan(folder, repo_id, tag, remote.head, manifest, card, deleted, tuple(notes), kind)


def _old(repo_id: str, tag: str | None, kind: Kind, say: Say) -> Download | None:
    """What the new version is compared with."""
    if tag is None:
        return None
    say(f"Comparing with {tag} ...")
    return download(repo_id, tag, kind.compared, repo_type=kind.repo_type)


def _same(folder: Path, manifest: Manifest, old: Download, kind: Kind) -> bool:
    if old.manifest is None or old.manifest.kind != kind.name:
        return False
    return kind.identity(old.folder, old.manifest) == kind.identity(folder, manifest)


def _catalogue_fault(folder: Path, registry: Registry) -> str:
    """How a folder's catalogue differs from a user's own; empty where it does not."""
    own, carried = own_theories_text(registry), folder / CATALOGUE
    if own is None:
        return f"{registry.catalogue} says nothing of theories and values; leave --catalogue out"
    again = f"package it again with --catalogue {registry.catalogue}"
    if not carried.is_file():
        return f"the folder carries none; {again}"
    if yaml.safe_load(read_text(carried)) != yaml.safe_load(own):
        return f"what the folder carries is not what {registry.catalogue} says now; {again}"
    return ""


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Foreign:
    """Files of a repository that valueflow did not make, by what a push does with them; and those
    that it did make, and that the new version does not have."""

    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    left: tuple[str, ...]
    gone: tuple[str, ...]

    def told(self) -> str:
        parts = {
            "would be replaced": self.replaced,
            "would be removed, since readers would take them for part of it": self.removed,
            "stay as they are": self.left,
        }
        told = [f"{', '.join(names)} {what}" for what, names in parts.items() if names]
        return f"holds files that valueflow did not make: {'; '.join(told)}" if told else ""


def _foreign(repo_id: str, remote: _Remote, manifest: Manifest, kind: Kind) -> _Foreign:
    ours: set[str] = {".gitattributes"}
    listed: set[str] = set()
    if MANIFEST in remote.files and remote.head is not None:
        there = download(repo_id, remote.head, [CARD], repo_type=kind.repo_type)
        if there.manifest is not None:
            listed = set(there.manifest.files)
            ours |= {MANIFEST, *listed}
            card = there.folder / CARD
            if card.is_file() and sha256_of(card) == there.manifest.card_sha256:
                ours.add(CARD)
    files = set(remote.files)
    written = {CARD, MANIFEST, *manifest.files}
    removed = {name for name in files - ours - written if kind.is_read(name)}
    return _Foreign(
        tuple(sorted((files - ours) & written)),
        tuple(sorted(removed)),
        tuple(sorted(files - ours - written - removed)),
        tuple(sorted((files & listed) - written)),
    )


def _as_version(tag: str) -> Version | None:
    """A tag as a version, by which `v1.0-rc1` comes before `v1.0`; None where it is none."""
    try:
        return Version(tag)
    except InvalidVersion:
        return None


def _order_problems(repo_id: str, tag: str, tags: Iterable[str]) -> list[Problem]:
    highest, version = _version_before(tags), _as_version(tag)
    if highest is None or version is None or version > Version(highest):
        return []
    message = f"is not above {highest}, the highest version there; choose the next version"
    return [Problem(f"{repo_id}@{tag}", None, "", message)]


def _version_before(tags: Iterable[str]) -> str | None:
    """The highest tag that is a version."""
    versions = [(version, tag) for tag in tags if (version := _as_version(tag)) is not None]
    return max(versions, default=(None, None))[1]


def _api() -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(library_name="valueflow")


def _remote(repo_id: str, kind: Kind) -> _Remote:
    from huggingface_hub.errors import RepositoryNotFoundError

    api = _api()
    try:
        info = api.repo_info(repo_id, revision="main", repo_type=kind.repo_type)
        refs = api.list_repo_refs(repo_id, repo_type=kind.repo_type)
        files = api.list_repo_files(repo_id, repo_type=kind.repo_type, revision=info.sha)
    except RepositoryNotFoundError:
        return _Remote(None, False, (), ())
    except Exception as error:
        raise InputFileError(repo_id, _sentence(error, "Nothing was changed.")) from None
    tags = tuple(ref.name for ref in refs.tags)
    return _Remote(info.sha, bool(info.private), tags, tuple(files))


def push(
    plan: Plan, *, private: bool = False, create_pr: bool = False, say: Say = lambda _: None
) -> Pushed:
    """Carries a plan out: the repository where it is missing, one commit, the tag.

    Args:
        plan: from `plan_push`.
        private: make a new repository private.
        create_pr: propose the commit instead of making it; the tag is set after it is merged.
        say: is told of each step.

    Raises:
        InputFileError: a step failed; the message says what was done before, and what to do.
        OptionError: `private` for a repository that is public.
    """
    if plan.standing:
        return Pushed(plan.standing, "", plan.tag)
    api = _api()
    repo_type = plan.kind.repo_type
    head = plan.head
    done: str | None = "No data were committed."
    try:
        if head is None:
            say(f"Creating {plan.repo_id} ...")
            api.create_repo(plan.repo_id, repo_type=repo_type, private=private, exist_ok=True)
            head = api.repo_info(plan.repo_id, repo_type=repo_type).sha
        elif private and not api.repo_info(plan.repo_id, repo_type=repo_type).private:
            raise OptionError(
                "private", f"{plan.repo_id} is public already; change that in its settings"
            )
        say(f"Uploading {len(plan.manifest.files) + 2} files ...")
        done = None  # to be asked
        commit = api.create_commit(
            plan.repo_id,
            repo_type=repo_type,
            operations=_operations(plan),
            commit_message=f"{plan.kind.title} {plan.tag}",
            commit_description=plan.kind.told(plan.manifest),
            parent_commit=head,
            create_pr=create_pr,
        )
        if create_pr:
            return Pushed(commit.oid, str(commit.pr_url), "")
        done = (
            f"Commit {commit.oid} is there; the same command again sets its tag, or says that the "
            "tag is set."
        )
        say(f"Tagging {plan.tag} ...")
        api.create_tag(plan.repo_id, repo_type=repo_type, tag=plan.tag, revision=commit.oid)
        done = f"Commit {commit.oid} and tag {plan.tag} were made, but not read back."
        found = api.repo_info(plan.repo_id, revision=plan.tag, repo_type=repo_type).sha
    except OptionError:
        raise
    except Exception as error:
        # Transfers go through several libraries with errors of their own, and some of those show
        # signed addresses: whatever failed, the user learns what holds now and what to do.
        what = _whether_committed(plan, head) if done is None else done
        raise InputFileError(plan.repo_id, _sentence(error, what)) from None
    if found != commit.oid:
        raise InputFileError(
            f"{plan.repo_id}@{plan.tag}",
            f"points to {found}, not to the commit {commit.oid} that was pushed: somebody else set "
            "the tag. Push again under another",
        )
    return Pushed(commit.oid, commit.commit_url, plan.tag)


def _whether_committed(plan: Plan, head: str | None) -> str:
    """What holds after a commit that failed; an answer that was lost does not say."""
    try:
        now = _api().repo_info(plan.repo_id, repo_type=plan.kind.repo_type).sha
    except Exception:
        return "Whether the data were committed is not known; the same command again is safe."
    if now == head:
        return "No data were committed."
    return f"Main is at {now} now, which may be this commit; the same command again goes on."


def _operations(plan: Plan) -> list[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    texts = {CARD: plan.card, MANIFEST: manifest_text(plan.manifest)}
    return [
        *(CommitOperationAdd(name, str(plan.folder / name)) for name in plan.manifest.files),
        *(CommitOperationAdd(name, text.encode()) for name, text in texts.items()),
        *(CommitOperationDelete(name) for name in plan.deleted),
    ]


def _sentence(error: Exception, done: str) -> str:
    """What happened and what to do, from an error of a library."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    advice = {
        401: "the Hub does not know you (401): log in with `hf auth login`",
        403: "you may not write there (403): log in as someone who may, with a token that writes",
        404: "it is not there, or not for you (404): check the name, and log in",
        409: "somebody else changed it meanwhile (409): run the command again",
        412: "somebody else changed it meanwhile (412): run the command again",
    }
    if status in advice:
        return f"{advice[status]}. {done}"
    lines = without_secrets(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return f"the Hub could not be reached or failed ({what}): run the command again. {done}"


def write_plan(plan: Plan, folder: Path) -> None:
    """Writes what a push would upload into a folder of its own.

    Raises:
        OptionError: the folder has something in it.
        InputFileError: it cannot be written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OptionError("output", f"{folder} is there already; choose another")
    for name in plan.manifest.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(plan.folder / name, folder / name)
    write_text(folder / CARD, plan.card)
    write_text(folder / MANIFEST, manifest_text(plan.manifest))
