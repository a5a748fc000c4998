"""A task with as many samples and model calls as the quick start, which measures nothing.

    inspect eval benchmarks/bare_task.py

Prompts have about the lengths of the quick start's. `speed.py --commands` sets the two beside each
other; what is left between them is what steering, ranking and estimating cost.
"""

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import Model, ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate
from real_input import LEVELS, VALUES, bare_scorer, filler

QUERIES = 20
WINDOWS = 3


def fixed_answer() -> Model:
    """A model that answers at once; with a usage, so that no tokenizer is fetched to count."""

    def answer(*_: object) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", "A fixed answer. " * 12)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


@task
def bare_quick_start() -> Task:
    """20 queries, 12 values, five levels: 980 generations and 3,600 judge calls."""
    per_query = 1 + VALUES * (LEVELS - 1)
    samples = [
        Sample(
            id=f"{number}",
            input=filler(500, number + 10**9),
            metadata={"calls": WINDOWS * (VALUES if number % per_query == 0 else 1)},
        )
        for number in range(QUERIES * per_query)
    ]
    return Task(
        dataset=MemoryDataset(samples),
        solver=generate(),
        scorer=bare_scorer(2000),
        model=fixed_answer(),
        model_roles={"grader": fixed_answer()},
    )
