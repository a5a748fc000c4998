"""A simulated judge with known noise: the instrument that the evaluator is checked with.

The worth of a text is `scale · intensity − place_effect · place + noise`; the texts are ranked by
it. Noise of the family `gumbel` makes this exactly the Plackett–Luce model (Luce 1959; Yellott
1977); `normal` is Thurstone's model and `reversed` the Gumbel's mirror image, both with the
Gumbel's standard deviation, π/√6. The intensity of a response is read from its trailer, that of an
anchor from the embedded table or the table `vidb`; an unknown text is an error, unless `unknown`
says otherwise.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import log_softmax

from valueflow.hub_assets.errors import InputFileError, UnknownNameError, ValueflowError
from valueflow.hub_assets.inputs.anchors import Vidb, load_vidb
from valueflow.hub_assets.inputs.rows import rows_of
from valueflow.hub_assets.registry.loading import Registry, opened_registries
from valueflow.hub_assets.seeds import generator_for
from valueflow.hub_assets.settings import EvaluatorSettings
from valueflow.hub_assets.vidb.manifest import packaged_registry
from valueflow.scorers.judge.questions.choice import option_letters
from valueflow.scorers.judge.questions.injections import asks_for_first, without_injection
from valueflow.scorers.judge.questions.ranking import read_judge_prompt
from valueflow.scorers.judge.questions.rating import RATING_SCALE, placement_ruler
from valueflow.simulated.respondent import read_trailer

__all__ = [
    "NONSENSE",
    "JudgeOptions",
    "KnownAnchors",
    "drawn_noise",
    "judge_answer",
    "judge_choice",
    "judge_ratings",
]

NONSENSE = (
    "I find all of these equally interesting, and would rather not put them in order.",
    "1, 2, 3",
    "The first one, surely.",
)


OBEYED = 1e6
"""What obeying a text adds to its worth: more than any difference or noise."""


class JudgeOptions(BaseModel):
    """Options of `valueflow/judge`: `grader={model: valueflow/judge, model_args: {scale: 0.3}}`.

    `scale` is β, in log-worth per point of intensity; `place_effect` is in log-worth per place and
    favours texts shown earlier; `failure_rate` is the share of answers that are nonsense;
    `lapse_rate` the share of windows ranked at random; `text_sd` the spread, in points, of its
    standing disagreement with single texts.

    Asked for numbers, it gives `rating_level + rating_slope · (intensity + disagreement + noise)`,
    rounded and kept on the scale from -10 to 10; the noise is that of its worths divided by
    `scale`, and `place_effect / scale` the points that a later place costs. In a lapse the numbers
    stand beside the wrong texts.

    Asked for the most supporting text, it states the softmax of the worths as log-probabilities,
    unless `logprobs` is false. `hidden_noise` is the spread, in log-worth, of a normal error about
    each text of each such question that its probabilities do not show.

    `truth` is a CSV file (text, value, intensity) of further known intensities. A panel's question,
    which values a text is about, is answered from it with the judge's noise in points; a text that
    it does not list for a value has nothing to do with that value. A text whose noisy intensity is
    within `neutral_band` points of 0 is neutral. It lists children as well (`pvq:dominance`): a
    text is about a child as strongly as its intensity is far from 0, and about a group of values as
    strongly as about the one among them that it is most about. In a prompt of several texts,
    `place_effect` lowers what the judge sees of the later ones, in points at scale 1, and
    `skip_rate` is the share of texts that its answer leaves out.

    `obey_rate` is the chance that it obeys a text that asks to be put first (one of the corpus of
    `valueflow/injection`), in each question anew: the text gets the first place, or the highest
    number. Such a text is seen, for the rest, as it was before the attempt was appended to it.

    `unknown` is what a text without a known intensity gets: `error`, or `hash`: a number in [-9, 9]
    drawn from the text itself. Such a number says nothing about the text; it lets a real model's
    responses go through the instrument offline.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = Field(default=1.0, gt=0)
    noise: Literal["gumbel", "normal", "reversed"] = "gumbel"
    place_effect: float = 0.0
    failure_rate: float = Field(default=0.0, ge=0, le=1)
    lapse_rate: float = Field(default=0.0, ge=0, le=1)
    obey_rate: float = Field(default=0.0, ge=0, le=1)
    skip_rate: float = Field(default=0.0, ge=0, le=1)
    text_sd: float = Field(default=0.0, ge=0)
    rating_level: float = 0.0
    rating_slope: float = 1.0
    logprobs: bool = True
    hidden_noise: float = Field(default=0.0, ge=0)
    unknown: Literal["error", "hash"] = "error"
    vidb: str | None = None
    truth: str | None = None
    neutral_band: float = Field(default=0.25, ge=0)
    seed: int = 0


class KnownAnchors:
    """Intensities by value and text, from the embedded table, a user's own, and a truth table.

    Values are those of every catalogue that is open: a prompt does not say whose run it is from.
    """

    def __init__(self, vidb: str | None, truth: str | None = None) -> None:
        if vidb is not None and Path(vidb).is_dir():
            packaged_registry(Path(vidb))  # opens the catalogue that a packaged database carries
        self.tables = [load_vidb(EvaluatorSettings().vidb)]
        self._by_title: dict[tuple[str, str], tuple[str, dict[str, float]]] = {}
        self._about: dict[tuple[str, str], dict[str, float]] = {}
        self._vidb, self._truth, self._read = vidb, truth, False
        self._learnt: set[Registry] = set()
        self._learn()

    def _learn(self) -> None:
        """Takes up the catalogues that were opened since.

        Raises:
            ValueflowError: by no catalogue can the user's own tables be read.
        """
        fault: ValueflowError | None = None
        for registry in opened_registries():
            if registry in self._learnt:
                continue
            tables, told = self.tables[:1], {}
            try:
                if self._vidb is not None:
                    tables = [*tables, load_vidb(self._vidb, None, registry)]
                told = _truth(self._truth, registry) if self._truth is not None else {}
                self._read = True
            except ValueflowError as error:
                fault = fault or error
            self.tables = [*self.tables, *tables[1:]]
            self._take(registry, tables, told)
            self._learnt.add(registry)
        if fault is not None and not self._read:
            raise fault

    def _take(
        self,
        registry: Registry,
        tables: Sequence[Vidb],
        told: Mapping[tuple[str, str], Mapping[str, float]],
    ) -> None:
        """Takes up the anchors of a catalogue's values, and what a truth table tells."""
        self._about.clear()
        for value in registry.macro_values():
            theory = registry.theories[value.theory]
            _, texts = self._by_title.setdefault((value.title, theory.title), (value.name, {}))
            for table in tables:
                for anchor in table.anchors.get((value.theory, value.name), ()):
                    texts[anchor.text] = anchor.intensity
        for (theory_name, name), more in told.items():
            theory = registry.theories[theory_name]
            node = theory.nodes[name]
            known = self._by_title.setdefault((node.title, theory.title), (name, {}))
            known[1].update(more)

    def of(self, value_title: str, theory_title: str) -> tuple[str, dict[str, float]]:
        """The value's name and its anchors' intensities by text."""
        if (value_title, theory_title) not in self._by_title:
            self._learn()
        if (value_title, theory_title) not in self._by_title:
            raise ValueError(f"simulated judge: unknown value {value_title} ({theory_title})")
        return self._by_title[value_title, theory_title]

    def of_name(self, value: str, theory_title: str) -> dict[str, float]:
        """The intensities by text of a value, which is given by its name."""
        for (_, theory), (name, texts) in self._by_title.items():
            if theory == theory_title and name == value:
                return texts
        raise ValueError(f"simulated judge: unknown value {value} ({theory_title})")

    def strengths(self, name: str, theory_title: str) -> dict[str, float]:
        """By text, how strongly it is about a node: distance of its intensity from 0, for a group
        of values the largest of theirs."""
        if (name, theory_title) not in self._about:
            every = (t for r in opened_registries() for t in r.theories.values())
            theory = next(t for t in every if t.title == theory_title and name in t.nodes)
            node = theory.nodes[name]
            _, own = self._by_title.get((node.title, theory_title), (name, {}))
            found = {text: abs(intensity) for text, intensity in own.items()}
            for child in node.children if node.kind == "ancestor" else ():
                for text, strength in self.strengths(child, theory_title).items():
                    found[text] = max(strength, found.get(text, 0.0))
            self._about[name, theory_title] = found
        return self._about[name, theory_title]

    def exemplars(self) -> Vidb:
        """The table from which the method `user_texts` quotes."""
        return self.tables[-1]


def judge_answer(prompt: str, conversation: str, options: JudgeOptions, known: KnownAnchors) -> str:
    """The simulated judge's answer.

    Args:
        prompt: the ranking question.
        conversation: everything said so far; a question asked again is answered afresh.
        options: noise and failures.
        known: the anchors' intensities.

    Raises:
        ValueError: the question is none, or holds a text that is neither a known anchor nor a
            simulated response, where the option `unknown` is `error`.
    """
    generator = generator_for(options.seed, "judge", conversation)
    texts, worth = _worths(prompt, options, known, generator)
    if worth is None:
        return NONSENSE[int(generator.integers(len(NONSENSE)))]
    order = np.argsort(-(worth + drawn_noise(options.noise, len(texts), generator)))
    return " > ".join(texts[i][0] for i in order)


def judge_ratings(
    prompt: str, conversation: str, options: JudgeOptions, known: KnownAnchors
) -> str:
    """The simulated judge's answer to the question for a number for each text, or for each text
    that is not part of the ruler.

    Arguments and errors are those of `judge_answer`.
    """
    generator = generator_for(options.seed, "judge", conversation)
    texts, worth = _worths(prompt, options, known, generator, lapses=False)
    if worth is None:
        return NONSENSE[int(generator.integers(len(NONSENSE)))]
    noisy = (worth + drawn_noise(options.noise, len(texts), generator)) / options.scale
    numbers = np.clip(np.rint(options.rating_level + options.rating_slope * noisy), *RATING_SCALE)
    first = placement_ruler(prompt)
    asked, numbers = texts[first:], numbers[first:]
    if generator.random() < options.lapse_rate:
        numbers = generator.permutation(numbers)
    return "\n".join(
        f"{code}: {number:.0f}" for (code, _), number in zip(asked, numbers, strict=True)
    )


def judge_choice(
    prompt: str, conversation: str, options: JudgeOptions, known: KnownAnchors
) -> tuple[str, dict[str, float]]:
    """The simulated judge's answer to the question which text supports a value most.

    Arguments and errors are those of `judge_answer`.

    Returns:
        The letter drawn with its noise, and the log-probabilities of all letters, which do not
        depend on the draw; or nonsense, which is certain.
    """
    generator = generator_for(options.seed, "judge", conversation)
    texts, worth = _worths(prompt, options, known, generator)
    if worth is None:
        nonsense = NONSENSE[int(generator.integers(len(NONSENSE)))]
        return nonsense, {nonsense: 0.0}
    if options.hidden_noise:
        worth = worth + options.hidden_noise * generator.standard_normal(len(texts))
    best = int(np.argmax(worth + drawn_noise(options.noise, len(texts), generator)))
    letters = option_letters(len(texts))
    return letters[best], dict(zip(letters, log_softmax(worth).tolist(), strict=True))


def _truth(path: str, registry: Registry) -> dict[tuple[str, str], dict[str, float]]:
    """Intensities of a truth table by (theory, value) and text."""
    file = Path(path)
    if not file.is_file():
        raise InputFileError(path, "there is no such file; 'truth' is a CSV text,value,intensity")
    found: dict[tuple[str, str], dict[str, float]] = {}
    values: dict[str, tuple[str, str]] = {}
    for row in rows_of([file]):
        try:
            text, name, intensity = (row.cells[c] for c in ("text", "value", "intensity"))
            if name not in values:
                values[name] = _named(name, registry)
            found.setdefault(values[name], {})[text] = float(intensity)
        except (KeyError, TypeError, ValueError) as error:
            raise InputFileError(
                path, f"needs the columns text, value and intensity ({error})", row=row.number
            ) from None
    return found


def _named(name: object, registry: Registry) -> tuple[str, str]:
    """Theory and name of a value, else of a node of another kind, since some share a name."""
    try:
        node = registry.value(name)
    except UnknownNameError:
        node = registry.value(name, None, ("child", "ancestor"))
    return node.theory, node.name


def _worths(
    prompt: str,
    options: JudgeOptions,
    known: KnownAnchors,
    generator: np.random.Generator,
    *,
    lapses: bool = True,
) -> tuple[list[tuple[str, str]], np.ndarray | None]:
    """(code, text) in shown order, and their worths before noise; None where the judge fails."""
    value_title, theory_title, shown = read_judge_prompt(prompt)
    texts = [(code, without_injection(text)) for code, text in shown]
    name, intensities = known.of(value_title, theory_title)
    truth = np.array([_intensity(text, name, intensities, options) for _, text in texts])
    if generator.random() < options.failure_rate:
        return texts, None
    if options.text_sd:
        truth = truth + options.text_sd * np.array(
            [generator_for(options.seed, "text", name, t).standard_normal() for _, t in texts]
        )
    worth = options.scale * truth - options.place_effect * np.arange(len(texts))
    if lapses and generator.random() < options.lapse_rate:
        worth = np.zeros(len(texts))
    if options.obey_rate:
        asking = np.array([asks_for_first(text) for _, text in shown])
        worth = worth + OBEYED * (asking & (generator.random(len(texts)) < options.obey_rate))
    return texts, worth


def _intensity(
    text: str, value: str, intensities: dict[str, float], options: JudgeOptions
) -> float:
    trailer = read_trailer(text)
    if trailer is not None and value in trailer:
        return trailer[value]
    if text in intensities:
        return intensities[text]
    if options.unknown == "hash":
        return float(generator_for(options.seed, "unknown", value, text).uniform(-9, 9))
    raise ValueError(
        f"simulated judge: unknown text for {value}: {text[:80]!r}. It knows the embedded anchors, "
        "those of its options vidb=FILE and truth=FILE, and answers of valueflow/respondent; with "
        "unknown=hash any other text gets a made-up intensity"
    )


def drawn_noise(family: str, size: int, generator: np.random.Generator) -> np.ndarray:
    """Errors of a family that `JudgeOptions.noise` names, all of the Gumbel's spread."""
    if family == "normal":
        return generator.standard_normal(size) * math.pi / math.sqrt(6)
    noise = generator.gumbel(size=size)
    return -noise if family == "reversed" else noise
