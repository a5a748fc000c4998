"""Fetches a repository from the Hugging Face Hub into its cache, at exactly the revision asked for.

The files come by huggingface_hub and lie in its cache. On top of it, three things are held to:

- a revision that does not exist is an error, with and without a network, and a commit that is
  named by its full hash is the commit that is given;
- files whose hashes are in a manifest (`valueflow-manifest.json`) are checked against it;
- the hash of what was first downloaded for a commit is kept beside the cache, and files that have
  changed since are refused.

No code from a repository is fetched or run.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.files import write_text
from valueflow.hub_assets.vidb.manifest import (
    MANIFEST,
    Manifest,
    check_files,
    read_manifest,
    sha256_of,
)
from valueflow.hub_assets.vidb.schema import ProblemsError

__all__ = ["Download", "download", "without_secrets"]

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Download:
    """A repository's files at one commit.

    Attributes:
        folder: the snapshot in the cache.
        commit: the commit, 40 hexadecimal digits.
        manifest: the repository's own manifest, None where it has none.
        seen_before: whether the files were compared with an earlier download of the commit.
        unreachable: whether the Hub could not be asked what the revision stands for, so that the
            cache's last word was taken.
        listing: names of all files that the repository has there; empty where the Hub was not
            asked.
    """

    folder: Path
    commit: str
    manifest: Manifest | None
    seen_before: bool
    unreachable: bool = False
    listing: tuple[str, ...] = ()


def without_secrets(text: object) -> str:
    """A message of a library without what must not be shown: tokens, and the queries of URLs,
    which may be signed."""
    from huggingface_hub import get_token

    cleaned = str(text)
    if token := get_token():
        cleaned = cleaned.replace(token, "***")
    cleaned = re.sub(r"hf_\w+", "hf_***", cleaned)
    cleaned = re.sub(r"(?i)\bbearer\s+\S+", "Bearer ***", cleaned)
    return re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", r"\1", cleaned)


def download(
    repo_id: str,
    revision: str,
    patterns: Sequence[str],
    *,
    repo_type: str = "dataset",
    offline: bool = False,
    advice: str = "",
) -> Download:
    """Downloads what is not in the cache yet.

    Args:
        repo_id: `ORG/NAME`.
        revision: branch, tag or commit.
        patterns: names of the files to fetch, such as `*.parquet`; the manifest comes always.
        repo_type: `dataset` or `model`.
        offline: look into the cache only, as `HF_HUB_OFFLINE=1` does for the whole process.
        advice: a sentence for the error.

    Raises:
        InputFileError: it cannot be had, or is not what was asked for.
        ProblemsError: files that differ from the manifest.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    name = f"{repo_id}@{revision}"
    asks = not (offline or constants.HF_HUB_OFFLINE or _COMMIT.fullmatch(revision))
    try:
        listing = _listing(repo_id, revision, repo_type) if asks else ()
        folder = Path(
            snapshot_download(
                repo_id,
                repo_type=repo_type,
                revision=revision,
                allow_patterns=[*patterns, MANIFEST],
                local_files_only=offline,
            )
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise InputFileError(
            name,
            f"cannot be loaded from the Hub ({_reason(error)}). Check the name, the revision and "
            f"your access{advice}",
        ) from None
    # A snapshot's folder is named for its commit.
    commit = folder.name
    if _COMMIT.fullmatch(revision) and commit != revision:
        raise InputFileError(name, f"the cache gave commit {commit} instead")
    manifest = read_manifest(folder)
    if manifest is not None:
        problems = check_files(folder, manifest, patterns)
        if problems:
            raise ProblemsError(f"{repo_id}@{commit}", problems)
    seen_before = _same_as_before(folder, repo_id, repo_type)
    return Download(folder, commit, manifest, seen_before, listing is None, listing or ())


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, RevisionNotFoundError):
        return "it has no such revision"
    if isinstance(error, GatedRepoError):
        return "access must be asked for on its page, and you must be logged in: `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return "it shows you no such repository; for a private one, log in with `hf auth login`"
    lines = without_secrets(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _listing(repo_id: str, revision: str, repo_type: str) -> tuple[str, ...] | None:
    """The files of a repository; None where the Hub fails to answer.

    huggingface_hub then takes the cache without saying so, and does the same where the Hub answers
    that there is no such repository, or not for this user: that is an error here.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        found = HfApi().repo_info(repo_id, revision=revision, repo_type=repo_type)
    except HFValidationError:
        raise
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 500)
        if status < 500 and status != 429:
            raise
        return None
    except Exception:
        # Errors of the connection belong to the HTTP library, which is another in each version.
        return None
    return tuple(sorted(file.rfilename for file in getattr(found, "siblings", None) or ()))


def _same_as_before(folder: Path, repo_id: str, repo_type: str) -> bool:
    """Compares the files of a snapshot with the hashes kept at their first download, and keeps
    those of files that are new.

    Raises:
        InputFileError: a file has changed.
    """
    from huggingface_hub import constants

    kept = Path(constants.HF_HOME, "valueflow", f"{repo_type}s--{repo_id.replace('/', '--')}")
    kept = kept / f"{folder.name}.json"
    try:
        before = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    except (OSError, ValueError):
        before = {}
    now = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for name, sha256 in before.items():
        if now.get(name, sha256) != sha256:
            raise InputFileError(
                folder / name,
                "has changed since it was downloaded; delete the file and pull again",
            )
    if set(now) - set(before):
        try:
            write_text(kept, json.dumps({**before, **now}, indent=1))
        except InputFileError:
            return bool(before)  # a cache that is shared and read-only keeps no hashes
    return bool(before)
