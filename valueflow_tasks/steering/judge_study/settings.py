"""What a sample of a judge-stability study says: its text's label, and how judges are asked."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, model_validator

from valueflow.hub_assets.errors import OptionError, ValueflowError
from valueflow.hub_assets.settings import Settings, option_problem
from valueflow.scorers.judge.questions.wordings import WORDINGS, wording_of
from valueflow.scorers.summary.stability.judgements import STUDY_KEY, WAYS

__all__ = ["StudySettings", "read_study_sample"]


class StudySettings(Settings):
    """One text of a study.

    Attributes:
        label: the intensity that people gave it, in points; None where there is none.
        ways: how judges are asked, some of `WAYS`.
        wordings: in which words, some of `WORDINGS`.
    """

    label: float | None = None
    ways: tuple[str, ...] = WAYS
    wordings: tuple[str, ...] = tuple(WORDINGS)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for way in self.ways:
            if way not in WAYS:
                raise OptionError("ways", f"{way!r} is none of {', '.join(WAYS)}")
        for name in self.wordings:
            try:
                wording_of(name)
            except ValueflowError as error:
                raise OptionError("wordings", str(error)) from None
        for option in ("ways", "wordings"):
            named = getattr(self, option)
            if not named or len(set(named)) < len(named):
                raise OptionError(option, "must name at least one, and none twice")
        return self


def read_study_sample(metadata: Mapping[str, Any]) -> StudySettings:
    """Reads what a sample says of the study.

    Raises:
        ValueflowError: the sample was not made by `valueflow/judge_stability`.
    """
    if STUDY_KEY not in metadata:
        raise ValueflowError(
            "the scorer valueflow/judge_stability_scores works on samples of the task "
            "valueflow/judge_stability, and this one is of another"
        )
    try:
        return StudySettings.model_validate(metadata[STUDY_KEY])
    except ValidationError as error:
        raise option_problem(error) from None
