"""What the tests of the lm-eval adapter run on: a judge that counts its calls, the harness played
by hand, and a tiny language model made on the spot."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatMessage, ModelAPI, ModelOutput, modelapi

from valueflow.hub_assets.inputs.anchors import load_vidb
from valueflow.lm_eval.aggregation import Entry
from valueflow.lm_eval.leaves import SCORED
from valueflow.lm_eval.steering import documents, process_results
from valueflow.simulated.models import SimulatedModel
from valueflow.simulated.respondent import RespondentOptions, answer

JUDGE = {"model": "valueflow/judge"}

CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@modelapi(name="counted")
def counted() -> type[ModelAPI]:
    """A simulated judge that is remembered like a real one, and writes every call into a file.

    It breaks for good after `breaks_after` calls, and ends the whole process after `dies_after`.
    """

    class Counted(SimulatedModel):
        simulated = False

        def __init__(
            self,
            model_name: str,
            calls: str = "",
            breaks_after: int | None = None,
            dies_after: int | None = None,
            **arguments: Any,
        ) -> None:
            arguments = {k: v for k, v in arguments.items() if k != "api_key"}
            super().__init__("judge", **arguments)
            self.calls = Path(calls)
            self.breaks_after = breaks_after
            self.dies_after = dies_after

        async def generate(self, input: list[ChatMessage], **rest: Any) -> ModelOutput:
            done = calls_in(self.calls)
            if done == self.dies_after:
                os._exit(9)
            if self.breaks_after is not None and done >= self.breaks_after:
                raise RuntimeError("the judge has gone away")
            with self.calls.open("a") as stream:
                stream.write("call\n")
            return await super().generate(input, **rest)

    return Counted


def calls_in(path: Path) -> int:
    """How many calls a counted judge has written down."""
    return len(path.read_text().splitlines()) if path.exists() else 0


EMBEDDED = load_vidb("vidb-mini")


def respond(prompt: str, **options: Any) -> str:
    """What `valueflow/respondent` answers to a prompt."""
    return answer(prompt, RespondentOptions(**options), EMBEDDED)


def entries_of(
    task: str,
    metadata: Mapping[str, Any],
    respond_to: Callable[[str], str] = respond,
    limit: int | None = None,
) -> dict[str, list[Entry]]:
    """What the harness collects: by metric, an entry per document."""
    given = {f"valueflow_{key}": setting for key, setting in metadata.items()}
    docs = list(documents(valueflow_task=task, **given)["test"])[:limit]
    collected: dict[str, list[Entry]] = {}
    for doc in docs:
        for metric, entry in process_results(doc, [respond_to(doc["prompt"])]).items():
            collected.setdefault(metric, []).append(entry)
    return collected


def numbers_from(entries: Mapping[str, list[Entry]]) -> dict[str, float]:
    """Every metric's number, as the harness asks for them."""
    import valueflow.lm_eval.steering as results

    return {metric: getattr(results, metric)(found) for metric, found in entries.items()}


def run_task(task: str, metadata: Mapping[str, Any], **more: Any) -> dict[str, float]:
    """A whole run of a task, with the harness played by hand."""
    return numbers_from(entries_of(task, {"grader": JUDGE, **metadata}, **more))


def make_tiny_model(folder: Path) -> Path:
    """Writes a random-weight causal model with a byte-level tokenizer into a folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    tokens = ["<s>", "</s>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def shown_in(entries: Mapping[str, list[Entry]]) -> list[dict[str, Any]]:
    """What the samples file shows of each document, besides the harness's own columns."""
    return [dict(entry) for entry in entries[SCORED]]
