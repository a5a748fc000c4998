"""Samples of a log, whole or not, in its dataset's order."""

from pathlib import Path

import pytest
from inspect_ai import Epochs
from inspect_ai import eval as inspect_eval

from valueflow.scorers.saved.logs import BATCH, log_samples
from valueflow.steering.tasks import steer


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_all_samples_come_in_the_datasets_order_without_what_is_large(
    log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("valueflow.scorers.saved.logs.BATCH", 4)
    assert BATCH > 4
    task = steer(values="power,face", levels=2, n_queries=2)
    log = inspect_eval(
        task,
        model="valueflow/respondent",
        model_roles={"grader": "valueflow/judge"},
        epochs=Epochs(2),
        log_format=log_format,  # type: ignore[arg-type]
        display="none",
    )[0]
    found = list(log_samples(log.location))
    expected = [(sample.id, epoch) for sample in task.dataset for epoch in (1, 2)]
    assert sorted((s.id, s.epoch) for s in found) == sorted(expected)
    if log_format == "eval":
        assert [(s.id, s.epoch) for s in found] == expected
        assert not any(sample.messages or sample.events for sample in found)
    assert all(sample.scores for sample in found)


def test_an_unreadable_log_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.eval"
    path.write_bytes(b"PK nothing")
    with pytest.raises((ValueError, OSError)):
        list(log_samples(str(path)))
