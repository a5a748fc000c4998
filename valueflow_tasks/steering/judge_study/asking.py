"""Puts all questions about one text to every judge of a study, in every way and wording."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

from inspect_ai.model import Model
from inspect_ai.util import collect

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.registry.loading import Value
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import SampleSettings, SpendingSettings
from valueflow.scorers.database.embedding.kept import nearness
from valueflow.scorers.judge.asking import (
    RANKING,
    RATING,
    SINGLE,
    Judgement,
    judge_window,
    worded,
)
from valueflow.scorers.judge.calls.memory import JudgeState, accounting, judge_with
from valueflow.scorers.judge.calls.spending import MoneyBudget, budget_of
from valueflow.scorers.judge.panel import Grader, judges_named
from valueflow.scorers.judge.questions.ranking import draw_labels
from valueflow.scorers.judge.questions.rating import RATING_SCALE
from valueflow.scorers.judge.questions.wordings import Wording, wording_of
from valueflow.scorers.judge.response import ResponseToJudge, judge_response
from valueflow.scorers.records import count_words
from valueflow.scorers.summary.stability.judgements import StudyRecord
from valueflow.scorers.windows.running import RunningPanel
from valueflow.steering.judge_study.settings import StudySettings

__all__ = ["StudyJudges", "TextToJudge", "judge_text", "judges_of_study"]


def judges_of_study() -> list[Grader]:
    """The judges that the roles of a run name, see `judges_named`.

    Raises:
        ValueflowError: there is none.
    """
    found = judges_named()
    if not found:
        raise ValueflowError(
            "there is no judge: name one with --model-role grader=PROVIDER/MODEL, and others with "
            "--model-role grader_b=..., grader_c=..."
        )
    return found


@dataclass
class _SharedBudget(MoneyBudget):
    """The budget of one judge of several, which spend calls and money together."""

    all: list[MoneyBudget] = field(default_factory=list)

    def take(self) -> None:
        """See `MoneyBudget.take`; what the others took is gone."""
        others = [one for one in self.all if one is not self]
        most, most_cost = self.most, self.most_cost
        if most is not None:
            self.most = most - sum(one.calls for one in others)
        if most_cost is not None:
            self.most_cost = most_cost - sum(one.money for one in others)
        try:
            super().take()
        finally:
            self.most, self.most_cost = most, most_cost


@dataclass
class StudyJudges:
    """The judges of a run, each asked under a state that lasts as long as the run.

    Attributes:
        spending: what all of them may cost together.
    """

    spending: SpendingSettings = field(default_factory=SpendingSettings)
    _states: dict[str, JudgeState] = field(default_factory=dict)
    _budgets: list[MoneyBudget] = field(default_factory=list)

    def judges(self) -> list[Grader]:
        """All judges, see `judges_of_study`."""
        made = []
        for judge in judges_of_study():
            if judge.name not in self._states:
                self._states[judge.name] = JudgeState(budget=self._budget(judge.model))
            made.append(replace(judge, model=judge_with(judge.model, self._states[judge.name])))
        return made

    def _budget(self, model: Model) -> MoneyBudget | None:
        own = budget_of(self.spending, model)
        if own is None:
            return None
        assert isinstance(own, MoneyBudget)
        shared = _SharedBudget(
            own.most, most_cost=own.most_cost, price=own.price, all=self._budgets
        )
        self._budgets.append(shared)
        return shared


@dataclass(frozen=True)
class TextToJudge:
    """A text with all that its questions need.

    Attributes:
        text: as the judges see it.
        sample_id, epoch: what makes its draws its own.
        sample: what it is judged on, and by which anchors.
        study: how judges are asked.
    """

    text: str
    sample_id: str
    epoch: int
    sample: SampleSettings
    study: StudySettings


async def judge_text(text: TextToJudge, judges: Sequence[Grader]) -> StudyRecord:
    """Asks every judge about a text, in every way and wording; all see the same windows.

    Returns:
        The text's record. A question that a judge failed on is in it, with the reason.
    """
    theory, name = text.sample.score_on[0]
    value = text.sample.registry.value(name, theory)
    told = await collect(*[_of_judge(text, value, judge) for judge in judges])
    return {
        "item": f"{text.sample_id}#{text.epoch}",
        "query": text.sample.query,
        "theory": value.theory,
        "value": value.name,
        "label": text.study.label,
        "words": count_words(text.text),
        "judgements": [judgement for judgements, _ in told for judgement in judgements],
        "judge_used": [used for _, used in told],
        "versions": {"valueflow": version("valueflow")},
    }


async def _of_judge(
    text: TextToJudge, value: Value, judge: Grader
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with accounting() as used:
        for name in text.study.wordings:
            wording = wording_of(name)
            for way in text.study.ways:
                asked: dict[str, Any] = {"judge": judge.name, "wording": name, "way": way}
                if way == "rating":
                    found.append({**asked, **await _alone(text, value, judge, wording)})
                else:
                    windows = await _windows(text, value, judge, wording, way)
                    found += [{**asked, **_answered(window, wording, way)} for window in windows]
    return found, {"judge": judge.name, "model": str(judge.model), **asdict(used)}


def _answered(window: Mapping[str, Any], wording: Wording, way: str) -> dict[str, Any]:
    """A window's record with the field of what was asked for, also where there is no answer."""
    field_name = "order" if way == "ranking" else "ratings"
    told = {k: v for k, v in window.items() if k not in ("order", "ratings", "choice")}
    told["failure"] = window["error"] or window["failure"]
    form = worded(RANKING if way == "ranking" else RATING, wording)
    return {**told, field_name: window.get(field_name), "version": form.version}


async def _windows(
    text: TextToJudge, value: Value, judge: Grader, wording: Wording, way: str
) -> Sequence[Mapping[str, Any]]:
    mode = "ranking" if way == "ranking" else "rating"
    evaluator = text.sample.evaluator.model_copy(update={"judge_mode": mode})
    response = ResponseToJudge(
        text=text.text,
        sample_id=text.sample_id,
        epoch=text.epoch,
        sample=text.sample.model_copy(update={"evaluator": evaluator}),
        exemplars=frozenset({text.text}),
        judges=[judge],
        without_logprobs=set(),
        # Every judge sees the same windows, so that nothing is learnt of one for the next.
        running=RunningPanel(
            ("",), mode == "rating", evaluator.design_scale, evaluator.design_text_sd
        ),
        nearness=nearness,
        wording=wording,
    )
    return (await judge_response(response, [value]))[0]["windows"]


async def _alone(
    text: TextToJudge, value: Value, judge: Grader, wording: Wording
) -> dict[str, Any]:
    settings = text.sample.evaluator
    theory = text.sample.registry.theories[value.theory]
    names = (text.sample_id, text.epoch, value.theory, value.name)
    labels = draw_labels([text.text], generator_for(settings.seed, "label alone", *names))
    said: Judgement = await judge_window(
        judge.model,
        wording.single(value, theory, [text.text], labels, None),
        labels,
        attempts=settings.judge_attempts,
        form=worded(SINGLE, wording),
    )
    return {
        "rating": None if said.numbers is None else said.numbers[labels[0]],
        "rating_scale": list(RATING_SCALE),
        "raw": list(said.raw),
        "calls": said.calls,
        "repaired": said.repaired,
        "failure": said.error or said.failure,
        "version": worded(SINGLE, wording).version,
    }
