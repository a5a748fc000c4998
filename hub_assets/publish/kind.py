"""A kind of asset that is packaged, checked and pushed: what its steps must know of it.

Package, manifest, checks, push and pull are the same for all kinds. What differs stands in a
`Kind`: `database.DATABASE`, and for embedding models `hives.model.MODEL` and `hives.corpus.CORPUS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.vidb.manifest import (
    CARD,
    MANIFEST,
    Manifest,
    check_files,
    read_manifest,
    sha256_of,
)
from valueflow.hub_assets.vidb.schema import Problem

__all__ = ["Kind", "check_folder", "manifest_sha256"]


def manifest_sha256(folder: Path, manifest: Manifest) -> str:
    """The identity of a version where every file counts."""
    return manifest.sha256


@dataclass(frozen=True)
class Kind:
    """A kind of asset.

    Attributes:
        name: as manifests name it.
        title: in commit messages.
        repo_type: of its repositories on the Hub, `dataset` or `model`.
        layout: a file that each has, in words, for the error of a folder that is none.
        made_by: the command that makes such a folder, in words.
        holds: whether a folder has that file.
        check: everything that is wrong with a folder beyond files, hashes and card.
        card: (folder, manifest, repository) to the card's text.
        changes: (old folder, new folder, old tag) to what changed.
        compared: names of the files of an old version that `changes` and `identity` look at.
        told: changes in sentences, for the commit.
        is_read: whether readers take a file of that name for a part of the asset, so that a
            stranger's cannot stay beside ours.
        identity: (folder, manifest) to a hash that two versions share when they are the same.
        use: how to use it, with `{ref}` for `ORG/NAME@TAG`.
    """

    name: str
    title: str
    repo_type: str
    layout: str
    made_by: str
    holds: Callable[[Path], bool]
    check: Callable[[Path, Manifest], Iterable[Problem]]
    card: Callable[[Path, Manifest, str], str]
    changes: Callable[[Path, Path, str], Mapping[str, Any]]
    compared: tuple[str, ...]
    told: Callable[[Manifest], str]
    is_read: Callable[[str], bool]
    use: str
    identity: Callable[[Path, Manifest], str] = manifest_sha256


def check_folder(folder: Path, kind: Kind) -> list[Problem]:
    """Everything that is wrong with a packaged folder.

    Files that do not fit the manifest, a card that was edited by hand, and what the kind checks:
    schema and ranges, repeated texts, licences that forbid passing on, leaks.

    Raises:
        InputFileError: the folder is no packaged one of this kind at all.
    """
    manifest = read_manifest(folder)
    if manifest is None or not kind.holds(folder):
        what = MANIFEST if manifest is None else kind.layout
        raise InputFileError(folder, f"has no {what}; {kind.made_by}")
    if manifest.kind != kind.name:
        raise InputFileError(folder, f"is of the kind '{manifest.kind}', and not '{kind.name}'")
    problems = check_files(folder, manifest)
    card = folder / CARD
    if not card.is_file() or sha256_of(card) != manifest.card_sha256:
        message = (
            "is not the card that was packaged, and a push writes it anew: put your own words "
            "into a file and package again with --notes"
        )
        problems.append(Problem(CARD, None, "", message))
    return [*problems, *kind.check(folder, manifest)]
