"""From one response to its record: refusal or not, and all of its windows judged.

What Inspect's scorer and any other harness share: a response as text goes in, a `ResponseRecord`
comes out. The judge is asked through Inspect's model interface, inside an Inspect task or outside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from logging import getLogger
from typing import Any

from inspect_ai.model import Model

from valueflow.hub_assets.files import is_blank, sendable
from valueflow.hub_assets.inputs.anchors import vidb_of_run
from valueflow.hub_assets.registry.prompts import Sentences
from valueflow.hub_assets.settings import EvaluatorSettings, SampleSettings, SpendingSettings
from valueflow.scorers.judge.answer import RANKING_READER_VERSION, strip_reasoning
from valueflow.scorers.judge.asking import SELF_JUDGED, ask_refusal
from valueflow.scorers.judge.calls.memory import (
    BudgetSpent,
    JudgeState,
    Used,
    accounting,
    judge_with,
    state_of,
)
from valueflow.scorers.judge.calls.spending import budget_of
from valueflow.scorers.judge.panel import Grader, arguments_hash, check_panel_mode, why_dead
from valueflow.scorers.judge.questions.rating import RATING_READER_VERSION
from valueflow.scorers.judge.questions.refusals import (
    REFUSAL_VERSION,
    count_words,
    is_refusal,
)
from valueflow.scorers.judge.response import (
    ResponseToJudge,
    judge_again,
    judge_response,
    value_record,
)
from valueflow.scorers.records import ResponseRecord, ValueRecord, is_judged, judge_usage
from valueflow.scorers.windows.draw import Nearness
from valueflow.scorers.windows.running import RunningPanel

__all__ = ["Answer", "Judging", "repair_response", "score_response"]

logger = getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """A response as it came from a model.

    Attributes:
        text: with reasoning, if there is any; it is taken out.
        question: what was asked, without steering.
        sample_id, epoch: name the response within its run.
        filtered: whether the provider stopped it with its filter.
        exemplars: texts that steered it, which are never its anchors.
        cut: whether the token limit ended it.
    """

    text: str
    question: str
    sample_id: str
    epoch: int = 1
    filtered: bool = False
    exemplars: frozenset[str] = frozenset()
    cut: bool = False


@dataclass
class Judging:
    """A run's judges, and what was learnt about them so far.

    Attributes:
        graders: gives the judges, see `graders_of_run`; called only for a response that has to be
            judged.
        without_logprobs: judges found to return no logprobs.
        nearness: how far anchors are from a response, for `sampling=nearest`; without it, that
            cannot be had.
        spending: what they may cost; a panel's judges have equal shares of it.
        states: of the judges, by name: how they fare, see `JudgeState`.
        running: what the run's windows say of its judges so far, by name and by what is assumed and
            asked; a panel's are taken as one judge there.
    """

    graders: Callable[[], Sequence[Grader]]
    nearness: Nearness | None = None
    without_logprobs: set[str] = field(default_factory=set)
    spending: SpendingSettings = field(default_factory=SpendingSettings)
    states: dict[str, JudgeState] = field(default_factory=dict)
    running: dict[tuple[Any, ...], RunningPanel] = field(default_factory=dict)
    _records: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    _versions: dict[str, dict[str, str]] = field(default_factory=dict)
    _told_spent: set[str] = field(default_factory=set)

    def versions_of(self, sample: SampleSettings) -> dict[str, str]:
        """Versions of the package and of every text that decides a score of a sample; one mapping
        for all samples that share them."""
        said = sample.registry.sentences
        if said.place + said.version not in self._versions:
            self._versions[said.place + said.version] = {
                "valueflow": version("valueflow"),
                "wording": said.version,
                "language": said.language,
                "judge_prompt": said.version_of("ranking"),
                "judge_reader": RANKING_READER_VERSION,
                "choice_prompt": said.version_of("choice"),
                "rating_prompt": said.version_of("rating"),
                "placement_prompt": said.version_of("placement"),
                "rating_reader": RATING_READER_VERSION,
                "refusal_prompt": said.version_of("refusal"),
                "refusals": REFUSAL_VERSION,
            }
        return self._versions[said.place + said.version]

    def judges(self, sample: SampleSettings) -> list[Grader]:
        """The judges, each asked under a state of this run.

        Raises:
            OptionError: judges are to share windows, and there is one.
        """
        graders = list(self.graders())
        check_panel_mode(sample.evaluator.panel, len(graders))
        found = []
        for grader in graders:
            if state_of(grader.model) is None:
                if grader.name not in self.states:
                    budget = budget_of(self.spending, grader.model, len(graders))
                    self.states[grader.name] = JudgeState(budget=budget)
                model = judge_with(grader.model, self.states[grader.name])
                # What is known of the provider itself is asked of the model as it was given.
                found.append(replace(grader, model=model, dead=why_dead(grader)))
            else:
                found.append(grader)
        return found

    def running_judge(self, judges: Sequence[Grader], settings: EvaluatorSettings) -> RunningPanel:
        """What the run's windows say so far of judges that are asked in one way."""
        rated = settings.judge_mode in ("rating", "placement")
        assumed = (settings.design_scale, settings.design_text_sd)
        key = (*(judge.name for judge in judges), settings.judge_mode, *assumed)
        names = tuple(one.name for one in judges) if len(judges) > 1 else ("",)
        return self.running.setdefault(key, RunningPanel(names, rated, *assumed))

    def spent(self, why: str, judge: str | None = None) -> None:
        """Says once that the budget is spent, and how to go on; of one judge of a panel, or all."""
        if (judge or "") in self._told_spent:
            return
        self._told_spent.add(judge or "")
        if judge is not None:
            logger.warning(
                f"{judge}: its share of the budget is spent ({why}); the other judges go on "
                "without it, and `valueflow repair` asks it for the rest"
            )
            return
        logger.warning(
            f"{why}: responses from here on are unscored (budget). What was judged is kept; "
            "to go on, score the log again with a budget for the rest: inspect score LOG "
            "--scorer valueflow/intensity --action overwrite"
        )

    def gone(self, judge: Grader) -> None:
        """Says once that a judge of a panel is not asked any more."""
        state = state_of(judge.model)
        if state is None or not state.gone or f"gone {judge.name}" in self._told_spent:
            return
        self._told_spent.add(f"gone {judge.name}")
        logger.warning(
            f"{judge.name} gave nothing but errors ({state.last_error}); the other judges go on "
            "without it"
        )

    def record(self, judges: Sequence[Grader], sample: SampleSettings) -> dict[str, Any]:
        """What a log says of the judges and of how they were asked; built once for each of both."""
        key = (
            *(judge.name for judge in judges),
            sample.evaluator.model_dump_json(),
            sample.catalogue,
            sample.prompts,
            *sample.told().values(),
            *sample.rules().values(),
        )
        if key not in self._records:
            if not judges[0].named:
                logger.warning(SELF_JUDGED)
            self._records[key] = _judge_record(judges, sample)
        return self._records[key]


async def score_response(
    answer: Answer, sample: SampleSettings, judging: Judging
) -> ResponseRecord:
    """Judges a response on every value that its sample names.

    A refusal or an empty response is not ranked (a refusal is, where the sample's `refusals` say
    `rank`), and costs no call beyond the question whether it is one. A response that the budget
    does not cover is unscored (`budget`), with no window; those that were judged are remembered.

    Args:
        answer: the response.
        sample: what it was steered toward and is scored on.
        judging: the run's judge.
    """
    used: dict[str, Used] = {}
    record = await _score_response(answer, sample, judging, used)
    _note_used(record, used)
    return record


def _note_used(record: ResponseRecord, used: Mapping[str, Used]) -> None:
    """What each judge's questions took; of one that was asked nothing, nothing."""
    taken = [
        {"model": name, **asdict(account)} for name, account in used.items() if account != Used()
    ]
    judges = record.get("judge", {}).get("judges")
    if taken and (judges is not None or len(taken) > 1):
        record["judges_used"] = taken  # type: ignore[typeddict-item]
    elif taken:
        record["judge_used"] = taken[0]  # type: ignore[typeddict-item]


async def _score_response(
    answer: Answer, sample: SampleSettings, judging: Judging, used: dict[str, Used]
) -> ResponseRecord:
    registry = sample.registry
    defaults = registry.defaults.evaluator
    response = sendable(strip_reasoning(answer.text))
    if is_blank(response):
        response = ""
    words = count_words(response)
    record: ResponseRecord = {
        "item": f"{answer.sample_id}#{answer.epoch}",
        "query": sample.query,
        "epoch": answer.epoch,
        "words": words,
        "over_word_limit": words > sample.word_limit,
        "refusal": False,
        "unscored": None if response else "no_response",
        "values": {},
        "targets": [list(target) for target in sample.targets],
        "design": sample.design,
        "part_of": sample.part_of,
        "truncated": len(response) > defaults.judge_characters,
        "versions": judging.versions_of(sample),
        "form": sample.form,
    }
    if sample.asked:
        record["asked"] = [list(one) for one in sample.asked]
    if sample.paraphrase is not None:
        record["paraphrase"] = sample.paraphrase
    if answer.cut:
        record["cut"] = True
        if response and sample.cut == "exclude":
            record["unscored"] = "cut"
    shown = response[: defaults.judge_characters]
    values = [registry.value(name, theory) for theory, name in sample.score_on]
    judged = [value_record(value, sample) for value in values]
    try:
        if record["unscored"] != "cut":
            await _note_refusal(record, answer, shown, sample, judging, used)
        if record["refusal"] and not (response and sample.refusals == "rank"):
            record["unscored"] = "refusal"
        if record["unscored"] is None:
            judges = judging.judges(sample)
            record["judge"] = judging.record(judges, sample)
            judged = await judge_response(
                ResponseToJudge(
                    text=shown,
                    sample_id=answer.sample_id,
                    epoch=answer.epoch,
                    sample=sample,
                    exemplars=answer.exemplars,
                    judges=judges,
                    without_logprobs=judging.without_logprobs,
                    running=judging.running_judge(judges, sample.evaluator),
                    used=used,
                    nearness=judging.nearness,
                ),
                values,
            )
            _check_budgets(judges, judged, judging)
            if not all(map(_ranked, judged)):
                record["unscored"] = "grader_failed"
    except* BudgetSpent as spent:  # Of several windows at once.
        record["unscored"] = "budget"
        judged = [value_record(value, sample) for value in values]
        judging.spent(_first(spent))
    record["values"] = {one["value"]: one for one in judged}
    return record


async def repair_response(
    record: ResponseRecord, text: str, sample: SampleSettings, judging: Judging
) -> int:
    """Asks again about the windows of a record that have no ranking, in place.

    Args:
        record: of a response that was scored.
        text: the response, with reasoning, if there is any.
        sample: what it was steered toward and is scored on.
        judging: the judge that made the record.

    Returns:
        How many windows were asked about.
    """
    registry = sample.registry
    identity, _, epoch = record["item"].rpartition("#")
    judges = judging.judges(sample)
    used: dict[str, Used] = {}
    response = ResponseToJudge(
        text=sendable(strip_reasoning(text))[: registry.defaults.evaluator.judge_characters],
        sample_id=identity,
        epoch=int(epoch),
        sample=sample,
        exemplars=frozenset(),
        judges=judges,
        without_logprobs=judging.without_logprobs,
        running=judging.running_judge(judges, sample.evaluator),
        used=used,
    )
    asked = 0
    for value in record["values"].values():
        if all(map(is_judged, value["windows"])):
            continue
        node = registry.value(value["value"], value["theory"])
        asked += await judge_again(response, node, value)
    for name, before in judge_usage([record]).items():
        used.setdefault(name, Used()).plus(
            Used(**{n: before[n] for n in asdict(Used())})  # type: ignore[literal-required]
        )
    _note_used(record, used)
    if record["unscored"] == "grader_failed" and all(map(_ranked, record["values"].values())):
        record["unscored"] = None
    return asked


async def _note_refusal(
    record: ResponseRecord,
    answer: Answer,
    shown: str,
    sample: SampleSettings,
    judging: Judging,
    used: dict[str, Used],
) -> None:
    """Finds out whether the response declines, by filter, judge or phrases, and by which."""
    words = sample.registry.defaults.evaluator.refusal_words
    if answer.filtered:
        record["refusal"], record["refusal_check"] = True, "filter"
        return
    if not shown:
        return
    record["refusal_check"] = "phrases"
    if sample.refusal_check == "judge":
        # A panel's first judge decides; the next one where it gives no answer.
        for judge in judging.judges(sample):
            if judge.dead is not None:
                continue
            with accounting() as account:
                found = await ask_refusal(
                    judge.model,
                    answer.question,
                    shown,
                    own_config=judge.named,
                    sentences=sample.registry.sentences,
                )
            used.setdefault(judge.name, Used()).plus(account)
            record["refusal_raw"] = found.raw or str(found.error)
            if found.refusal is not None:
                record["refusal"], record["refusal_check"] = found.refusal, "judge"
                return
        record["refusal_check"] = "phrases, since the judge gave no answer"
    record["refusal"] = is_refusal(strip_reasoning(answer.text), words, sample.language)


def _prompt_version(mode: str, sentences: Sentences) -> str:
    """Version of the question about windows; a choice that gives nothing is asked as a ranking."""
    if mode in ("rating", "placement"):
        return f"{mode} {sentences.version_of(mode)}"
    return sentences.version_of("ranking")


def _first(group: BaseException) -> str:
    """The words of the first error in a group."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return str(group)


def _check_budgets(judges: Sequence[Grader], judged: list[ValueRecord], judging: Judging) -> None:
    """Sees which judges had no budget left for a response.

    A panel goes on without a judge whose share is spent; that judge's windows have no judgement.

    Raises:
        BudgetSpent: no judge had any.
    """
    told = {}
    for judge in judges:
        judging.gone(judge)
        if why := _over_budget(judge, judged):
            told[judge.name] = why
    if len(told) == len(judges):
        raise BudgetSpent(next(iter(told.values())))
    for name, why in told.items():
        judging.spent(why, name)


def _over_budget(judge: Grader, judged: list[ValueRecord]) -> str | None:
    """What a window without a judgement was told, where the budget refused a call; else None."""
    state = state_of(judge.model)
    if state is None or state.budget is None or not state.budget.refused:
        return None
    windows = (w for one in judged for w in one["windows"] if not is_judged(w))
    lost = (w["error"] for w in windows if w.get("judge", judge.name) == judge.name)
    return next((error for error in lost if error is not None), None)


def _ranked(record: ValueRecord) -> bool:
    return any(is_judged(window) for window in record["windows"])


def _judge_record(judges: Sequence[Grader], sample: SampleSettings) -> dict[str, Any]:
    """What a log says of who judged and how; of a panel, names and settings of all together."""
    settings = sample.evaluator
    vidb = vidb_of_run(settings.vidb, settings.columns, sample.registry)
    first = judges[0]
    who: dict[str, Any] = {
        "model": first.name,
        "is_evaluated_model": not first.named,
        "config": _config(first.model),
        "model_args": arguments_hash(first.model),
    }
    if len(judges) > 1:
        listed = [
            {
                "name": judge.name,
                "role": judge.role,
                "model": str(judge.model),
                "config": _config(judge.model),
                "model_args": arguments_hash(judge.model),
            }
            for judge in judges
        ]
        who = {
            "model": " + ".join(judge.name for judge in judges),
            "is_evaluated_model": False,
            "config": {},
            "model_args": " + ".join(str(one["model_args"]) for one in listed),
            "judges": listed,
            "panel": settings.panel,
        }
    return {
        **who,
        "prompt_version": _prompt_version(settings.judge_mode, sample.registry.sentences),
        "wording": sample.registry.sentences.version,
        "vidb": vidb.source.reference,
        "vidb_revision": vidb.source.revision,
        "vidb_sha256": vidb.source.sha256[:16],
        **settings.as_dict(),
        # As they were in force: an argument of the scorer goes before what the sample says.
        **sample.rules(),
    }


def _config(model: Model) -> dict[str, Any]:
    return model.config.model_dump(exclude_none=True, exclude={"response_schema"})
