"""A run says beforehand what it costs, ends where only that was asked, and keeps to its budget."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.log import EvalLog, read_eval_log

from tests.conftest import CountingJudge, inspect_command, obedient
from valueflow.hub_assets.errors import InputFileError
from valueflow.hub_assets.inputs.prices import Price, load_prices, price_in
from valueflow.scorers.intensity_scorer import intensity
from valueflow.scorers.judge.calls.memory import BudgetSpent
from valueflow.scorers.judge.calls.spending import MoneyBudget
from valueflow.scorers.records import METADATA_KEY
from valueflow.steering.tasks import steer

SMALL = ["-T", "values=power", "-T", "levels=2", "-T", "n_queries=4"]


def plan(*options: str, models: str = "valueflow/respondent") -> str:
    done = inspect_command(
        "eval", "valueflow/steer", "--model", models, "--model-role", "grader=valueflow/judge",
        *SMALL, "-T", "plan=true", *options,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert not list(Path("logs").glob("*.eval"))
    return " ".join(done.stderr.split())


def test_a_plan_prints_what_a_run_costs_and_ends_without_a_call(tmp_path: Path) -> None:
    prices = tmp_path / "mine.csv"
    prices.write_text("model,input,output\nvalueflow/respondent,1000,0\nvalueflow/judge,0,100\n")
    told = plan("-T", f"prices={prices}")
    # Four queries by two conditions; three windows each.
    assert "planned 8 generations and 24 judge calls" in told
    assert "plan: valueflow/respondent: 8 generations" in told
    assert "plan: judge valueflow/judge: 24 calls" in told
    # 36 tokens to name six codes, at 100 dollars a million.
    assert f"and {24 * 36} out, ${24 * 36 * 100 / 1e6:.2f}" in told
    assert "(mine.csv)" in told
    assert "Nothing was asked" in told


def test_a_plan_knows_limit_epochs_and_the_number_of_models() -> None:
    told = plan("--limit", "4", "--epochs", "3", models="valueflow/respondent,mockllm/model")
    assert "planned 12 generations and 36 judge calls" in told
    assert "4 of 8 samples; 3 epochs; for each of 2 models" in told
    assert "plan: mockllm/model: 12 generations" in told
    assert "planned 6 generations and 18 judge calls" in plan("--limit", "2-7")


def test_a_limit_of_money_needs_prices_and_room_for_the_generations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["eval", "valueflow/steer", "--model", "valueflow/respondent", *SMALL]
    monkeypatch.setenv("NONE_API_KEY", "x")
    monkeypatch.setenv("NONE_BASE_URL", "http://127.0.0.1:9")
    unheard = [*command, "--model-role", "grader=openai-api/none/unheard-of"]
    priceless = inspect_command(*unheard, "-T", "plan=true")
    assert priceless.exit_code == 0
    assert "calls, about" in priceless.stderr
    assert "no price known for all of it; give -T prices=FILE" in priceless.stderr
    refused = inspect_command(*unheard, "-T", "max_cost=1")
    assert refused.exit_code == 1
    needs = "Error: max_cost: needs the price of openai-api/none/unheard-of"
    assert needs in " ".join(refused.stderr.split())
    prices = tmp_path / "prices.csv"
    prices.write_text("model,input,output\nvalueflow/respondent,1000,1000\n")
    judge = ["--model-role", "grader=valueflow/judge"]
    dear = inspect_command(*command, *judge, "-T", "max_cost=1", "-T", f"prices={prices}")
    assert dear.exit_code == 1
    assert "max_cost: the generations alone cost about $" in " ".join(dear.stderr.split())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("model,input,output\n,1,1\n", "row 1, column 'model': names no model"),
        ("model,input,output\nm,x,1\n", "row 1, column 'input': 'x' is no price"),
        ("model,input,output\nm,1,-1\n", "column 'output': '-1' is no price"),
        ("model,input,output\n", "holds no price"),
    ],
)
def test_a_faulty_table_of_prices_names_the_place(tmp_path: Path, table: str, message: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(table)
    with pytest.raises(InputFileError, match=message):
        load_prices(str(path))


def test_a_users_price_goes_before_and_names_before_patterns(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("model,input,output\nopenai/*,9,9\nopenai/gpt-4o,1,2\nhf/mine,3,4\n")
    prices = load_prices(str(path))
    assert price_in(prices, "openai/GPT-4o") == Price("openai/gpt-4o", 1, 2, "prices.csv")
    assert price_in(prices, "hf/mine").input == 3  # type: ignore[union-attr]
    assert price_in(prices, "hf/other") == Price("hf/*", 0, 0, "")
    assert price_in(prices, "unheard/of") is None
    assert Price("m", 2, 8, "").of(500_000, 250_000) == 3.0


PROBE = 1
"""The question that is put to a judge before the first generation, beside the budget."""


def run(judge: CountingJudge, **options: Any) -> EvalLog:
    return inspect_eval(
        steer(values="power", levels=2, n_queries=4, windows=2, **options),
        model="valueflow/respondent",
        model_roles={"grader": judge.model},
        display="none",
    )[0]


def unscored(log: EvalLog) -> list[str | None]:
    return [
        (sample.scores or {})["intensity"].metadata[METADATA_KEY]["unscored"]  # type: ignore[index]
        for sample in log.samples or []
    ]


def test_a_run_stops_judging_at_its_budget_and_goes_on_without_paying_twice() -> None:
    judge = CountingJudge(obedient)
    log = run(judge, max_judge_calls=7)
    assert log.status == "success"
    assert judge.calls - PROBE == 7
    kept = unscored(log).count(None)
    assert set(unscored(log)) == {None, "budget"}
    assert 1 <= kept <= 3

    def again(**options: Any) -> EvalLog:
        return inspect_score(
            read_eval_log(log.location),
            intensity(**options),
            model_roles={"grader": judge.model},
            action="overwrite",
            display="none",
        )

    more = again(max_judge_calls=5)
    assert judge.calls - PROBE == 12
    assert unscored(more).count(None) > kept
    assert unscored(again()) == [None] * 8
    # Eight responses by two windows, none of them asked for twice.
    assert judge.calls - PROBE == 16


def test_money_stops_the_judge_where_its_calls_have_used_it_up(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("model,input,output\nmockllm/model,0,1000000\n")

    # A dollar a token, and every answer of this judge has one.
    judge = CountingJudge(obedient)
    log = run(judge, max_cost=3, prices=str(prices))
    assert log.status == "success"
    # Those in flight when the money is spent are paid for too.
    assert 3 <= judge.calls < 16
    assert "budget" in unscored(log)


def test_money_counts_what_a_provider_states_before_the_tables_price() -> None:
    budget = MoneyBudget(most_cost=3.0, price=Price("m", 1_000_000, 1_000_000, ""))
    budget.take()
    budget.tokens_in, budget.tokens_out = 1, 1
    assert budget.money == 2.0
    budget.take()
    budget.cost = 2.5
    assert budget.money == 2.5
    budget.take()
    budget.cost = 3.0
    with pytest.raises(BudgetSpent, match=r"the \$3.00 for judge calls are spent"):
        budget.take()
    assert budget.refused
    assert budget.calls == 3


def test_a_survey_plans_too_and_asks_a_shared_prompt_once() -> None:
    command = ["eval", "valueflow/opinionqa", "--model", "valueflow/respondent"]
    done = inspect_command(*command, "-T", "n_questions=2", "-T", "passes=blind", "-T", "plan=true")
    assert done.exit_code == 0, done.output
    # Without the group, all groups are asked the same.
    assert "plan: valueflow/respondent: 2 generations" in " ".join(done.stderr.split())
    wrong = inspect_command(*command, "-T", "treshold=0")
    assert wrong.exit_code == 1
    assert "unknown option of opinionqa 'treshold'. Did you mean 'threshold'" in wrong.stderr
