"""What a build and a review tell of each other: what waits, what is used, what came too late."""

from pathlib import Path

from valueflow.hub_assets.review_directions import ranking_begun, settle_directions

__all__ = ["direction_notes", "late_note"]


def direction_notes(folder: Path, waiting: int, human: str | None) -> list[str]:
    """Sentences on the divided rows of a build.

    Args:
        folder: of the build.
        waiting: rows without a direction.
        human: the recipe's own file of directions, where there is one.

    Raises:
        InputFileError: the file of decisions is damaged.
    """
    notes = []
    settled = settle_directions(folder)
    if human is not None:
        if settled.reviewers:
            notes.append(
                f"directions decided in {folder / 'review'} are not used, since the recipe names a "
                f"file of directions ({human}); leave 'human' out to use them"
            )
        return notes
    if settled.directions:
        notes.append(f"{len(settled.directions):,} directions are from {folder / 'review'}")
    if settled.tied:
        notes.append(
            f"{settled.tied:,} rows stay undecided: as many reviewers say one thing as another"
        )
    notes += late_note(folder)
    if waiting and not ranking_begun(folder):
        notes.append(
            f"{waiting:,} rows have no direction; `valueflow review {folder} --queue directions` "
            "asks you. Run this stage again afterwards; as soon as ranking begins it is too late"
        )
    return notes


def late_note(folder: Path) -> list[str]:
    """The sentence on decisions that came when ranking had begun; none where there are none."""
    late = settle_directions(folder).late
    if not late:
        return []
    return [
        f"{late:,} directions were decided or changed after ranking had begun; they are kept in "
        f"{folder / 'review'} and not used, since rankings hold for the rows that were ranked. "
        "To use them, copy the folders import, categorize and review into a new folder and build "
        "there: the panel is not asked again, and all values are ranked anew"
    ]
