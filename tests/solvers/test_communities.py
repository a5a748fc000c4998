"""A run with communities names their models before anything is asked."""

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model

from tests.conftest import mock_model, output
from valueflow.solvers.communities import communities_named


@pytest.mark.parametrize(("roles", "status"), [({}, "error"), ({"community_1": True}, "success")])
def test_communities_named_ends_a_run_without_community_models(
    roles: dict[str, bool], status: str
) -> None:
    model = mock_model(lambda *_: output("A"))
    named = {role: get_model("valueflow/respondent") for role in roles}
    task = Task(dataset=[Sample("Why?")], solver=[communities_named()])
    (log,) = inspect_eval(task, model=model, model_roles=named, display="none")
    assert log.status == status
    if status == "error":
        assert log.error is not None
        assert "name at least one with --model-role community_1=MODEL" in log.error.message
