"""Utilities of very many texts from rankings: penalised maximum likelihood under Plackett-Luce.

One call takes rankings of any length (pairs to ten texts, mixed), with ties, weights and partial
orders, and returns a utility and a standard error for every text. It is meant for building a value
intensity database: thousands of texts, each in a few comparisons.

**Model.** Plackett-Luce (Luce 1959; Plackett 1975), in the exact form given in
`valueflow.scorers.database.ranking.likelihood`, which also defines ties.
For pairs it is the model of Bradley and Terry. Utilities ``u`` are in units of log choice odds: a
text beats another with probability ``1 / (1 + exp(-(u_1 - u_2)))``. They have no natural zero.

**Estimate.** The maximum of ``log_likelihood(u) - ridge / 2 * sum(u**2)``. A positive ridge is a
normal prior with standard deviation ``1 / sqrt(ridge)``; it makes the maximum unique and finite
for any rankings. It also pulls utilities towards zero, most of all where the comparison
graph is long and thin and the ends of the scale are linked only through many noisy steps. Take the
spread that utilities are expected to have, or keep it small.

**Disconnected comparisons.** Texts that never meet, not even through others, have no common scale.
Each connected component is centred on zero by itself; comparing utilities across components means
nothing.

**Texts that always win or lose.** Without a ridge the maximum exists only if, for every way to
split the texts in two, each side beats the other somewhere (Hunter 2004), that is, if the graph of
"was placed above" is strongly connected. With a ridge, differences between strongly connected
components are finite thanks to the ridge alone, which the notes report. With ``ridge=0`` each
strongly connected component is fitted by itself, in the limit where it has moved away from the
others, and centred on zero; a text that is alone in its component has no finite estimate: NaN.

**Method.** Newton's method on the concave objective. The negative Hessian is the Laplacian of a
sparse graph on the texts plus the ridge, so that each step is a linear system solved by conjugate
gradients, preconditioned with the diagonal, or with an incomplete factorisation where the graph is
long and thin. This replaces the slower fixed-point iterations for the same likelihood:
minorisation-maximisation (Hunter 2004) and spectral ranking (Maystre and Grossglauser 2015).

References: Luce, *Individual Choice Behavior* (1959); Plackett, *The Analysis of Permutations*,
Applied Statistics 24 (1975); Hunter, *MM algorithms for generalized Bradley-Terry models*, Annals
of Statistics 32 (2004); Maystre and Grossglauser, *Fast and accurate inference of Plackett-Luce
models*, NeurIPS (2015); Siden et al., *Efficient covariance approximations for large sparse
precision matrices*, Journal of Computational and Graphical Statistics 27 (2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse
from scipy.sparse.csgraph import connected_components

from valueflow.scorers.database.ranking.likelihood import RankingLikelihood, ranking_log_likelihood
from valueflow.scorers.database.ranking.system import Groups, Pairs, System
from valueflow.scorers.database.ranking.table import (
    Rankings,
    RankingTable,
    beats_graph,
    table_of_rankings,
    within_components,
)

__all__ = ["RankingFit", "StandardErrorMethod", "fit_rankings", "ranking_log_likelihood"]

StandardErrorMethod = Literal["auto", "dense", "sampled", "none"]

DENSE_ERRORS = 2000  # up to this many texts "auto" inverts the whole matrix, well within a second
DENSE_STEPS = 300  # up to this many texts a dense factorisation is as fast and needs no iteration


@dataclass(frozen=True)
class RankingFit:
    """Utilities of texts fitted to rankings.

    Attributes:
        utilities: one per text, in log choice odds, centred on zero within ``component``. NaN
            where no finite estimate exists, which only happens with ``ridge=0``.
        standard_errors: one per text, of the utility relative to the mean of its component, or
            None when not asked for. They are the square roots of the diagonal of the inverse of
            the penalised information, restricted to differences within the component: large-sample
            errors, so with ten comparisons per text 95% intervals cover 93% (a strong ridge) to
            96% (a weak one) of true utilities in simulation, 95% with hundreds. A text that is
            alone in its component gets the standard deviation of the ridge's prior.
        component: one whole number per text; utilities are comparable only between texts with the
            same number. Connected components, or strongly connected ones with ``ridge=0``.
        strong_component: strongly connected component of each text in the graph of "was placed
            above". Differences across them rest on the ridge alone.
        iterations: Newton steps made.
        converged: whether the largest entry of the gradient fell below the tolerance.
        log_likelihood: at the estimate, natural logarithm, without the ridge term. With
            ``ridge=0`` the limit described in the module's documentation.
        notes: sentences on everything a reader of the utilities should know; empty if nothing.
    """

    utilities: NDArray[np.float64]
    standard_errors: NDArray[np.float64] | None
    component: NDArray[np.intp]
    strong_component: NDArray[np.intp]
    iterations: int
    converged: bool
    log_likelihood: float
    notes: tuple[str, ...]


def fit_rankings(
    rankings: Rankings,
    n_texts: int,
    *,
    places: Rankings | None = None,
    stated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    ridge: float = 0.01,
    standard_errors: StandardErrorMethod = "auto",
    probes: int = 100,
    seed: int = 0,
    tolerance: float = 1e-8,
    max_iterations: int = 100,
) -> RankingFit:
    """Fit one utility per text to rankings; the module's documentation states the model.

    Args:
        rankings: the texts of each ranking as numbers from 0 to ``n_texts - 1``, best first.
            Nested sequences of any lengths, or an array of whole numbers with one row per ranking
            and -1 after the last text of a short row. Lengths may be mixed.
        n_texts: number of texts, at least 1; texts may be absent from all rankings.
        places: the place of each ranked text, same shape as ``rankings``, never decreasing along
            a ranking; equal places tie (1, 2, 2, 4). None: no ties. At most ten texts may tie.
        stated: for each ranking, how many places from the top are stated; the other texts are
            below, in no stated order (their ``places`` are not read). None: all.
        weights: for each ranking, a finite weight of at least 0; weight 2 equals the same ranking
            twice. None: all 1.
        ridge: strength of the penalty ``ridge / 2 * sum(u**2)``; 0 for plain maximum likelihood.
            The default is a normal prior with standard deviation 10, wide for log odds.
        standard_errors: "dense" inverts the information matrix (memory and time grow with the
            square and cube of ``n_texts``); "sampled" estimates the diagonal of the inverse from
            ``probes`` random draws, in time linear in the rankings; "auto" is "dense" up to 2000
            texts and "sampled" above; "none" leaves them out.
        probes: draws for "sampled". Only the part of a variance that comes from neighbours in the
            comparison graph is sampled: with ten comparisons per text, 100 draws are off by
            about 1% (root mean square over texts), and four times as many by half of that.
        seed: seed of those draws; the same seed gives the same numbers.
        tolerance: the fit has converged when no entry of the gradient of the objective exceeds
            this fraction of the largest total weight of the rankings of one text.
        max_iterations: most Newton steps.

    Returns:
        The fit. One that has not converged is returned too, flagged and noted.

    Raises:
        ValueError: no rankings; a ranking with fewer than two texts, with a text outside
            ``0 .. n_texts - 1`` or with a repeated text; entries that are not whole numbers; -1
            before the end of a row; ``places``, ``stated`` or ``weights`` that do not fit the
            rankings in shape; places that decrease or tie more than ten texts; ``stated`` outside
            1 to the ranking's length; a weight that is negative, infinite or NaN, or all weights
            zero; ``ridge=0`` where no two texts beat each other, directly or through others, so
            that nothing has a finite estimate; a ridge that is negative, infinite or NaN; a
            tolerance, ``probes``, ``max_iterations`` or ``n_texts`` that is not positive; an
            unknown ``standard_errors``.
    """
    if not (np.isfinite(ridge) and ridge >= 0):
        raise ValueError(f"ridge must be finite and at least 0, not {ridge}")
    if standard_errors not in ("auto", "dense", "sampled", "none"):
        raise ValueError(
            f"standard_errors is 'auto', 'dense', 'sampled' or 'none', not {standard_errors!r}"
        )
    if not (tolerance > 0 and probes >= 1 and max_iterations >= 1):
        raise ValueError("tolerance, probes and max_iterations must be positive")
    table = table_of_rankings(rankings, n_texts, places=places, stated=stated, weights=weights)
    graph = beats_graph(table)
    connected = connected_components(graph, connection="weak")[1].astype(np.intp)
    strong = connected_components(graph, connection="strong")[1].astype(np.intp)
    notes = _graph_notes(table, graph, connected, strong, ridge)

    groups = Groups(connected if ridge > 0 else strong)
    if ridge == 0 and strong.max() > connected.max():
        table = within_components(table, strong)
        if table.lengths.size == 0:
            raise ValueError("no text both beats and loses to others: ridge=0 has no estimate")
    likelihood = RankingLikelihood(table)
    pairs = Pairs(likelihood.first, likelihood.second, n_texts)
    scale = np.bincount(table.texts, np.repeat(table.weights, table.lengths)).max()
    utilities, iterations, converged = _climb(
        likelihood, pairs, groups, ridge, tolerance * float(scale), max_iterations
    )
    if not converged:
        notes.append(f"the fit has not converged after {iterations} Newton steps")
    log_likelihood = likelihood.value(utilities)

    alone = groups.sizes[groups.label] == 1
    errors: NDArray[np.float64] | None = None
    if standard_errors != "none":
        system = System(pairs, likelihood.derivatives(utilities)[1], groups, ridge)
        if standard_errors == "dense" or (standard_errors == "auto" and n_texts <= DENSE_ERRORS):
            errors = np.sqrt(system.dense_variances())
        else:
            variances, exact = system.sampled_variances(probes, np.random.default_rng(seed))
            errors = np.sqrt(variances)
            notes.append(f"standard errors are estimated from {probes} random draws")
            if not exact:
                notes.append("a linear system stopped early: standard errors are approximate")
        errors[alone] = 1 / np.sqrt(ridge) if ridge > 0 else np.nan
    if ridge == 0:
        utilities[alone] = np.nan
    return RankingFit(
        utilities=utilities,
        standard_errors=errors,
        component=groups.label,
        strong_component=strong,
        iterations=iterations,
        converged=converged,
        log_likelihood=log_likelihood,
        notes=tuple(notes),
    )


def _graph_notes(
    table: RankingTable,
    graph: sparse.csr_array,
    connected: NDArray[np.intp],
    strong: NDArray[np.intp],
    ridge: float,
) -> list[str]:
    """Say what the comparison graph leaves undetermined."""
    notes = []
    compared = np.zeros(table.n_texts, dtype=bool)
    compared[table.texts] = True
    if not compared.all():
        number = int(np.sum(~compared))
        notes.append(f"{number} of {table.n_texts} texts appear in no ranking of positive weight")
    sizes = np.bincount(connected[compared])
    sizes = sizes[sizes > 0]
    if sizes.size > 1:
        notes.append(
            f"the compared texts fall into {sizes.size} components that share no comparison "
            f"(largest {sizes.max()}, smallest {sizes.min()} texts); each is centred on zero by "
            "itself and utilities cannot be compared between them"
        )
    parts = np.unique(strong[compared]).size
    if parts > sizes.size:
        wins = np.diff(graph.indptr) > 0
        losses = np.bincount(graph.indices, minlength=table.n_texts) > 0
        first, last = int(np.sum(wins & ~losses)), int(np.sum(losses & ~wins))
        consequence = (
            "differences between these are finite only because of the ridge"
            if ridge > 0
            else "each is fitted and centred by itself, and a text alone in one has no estimate"
        )
        notes.append(
            f"the compared texts fall into {parts} strongly connected components: {first} texts "
            f"always came first, {last} always last; {consequence}"
        )
    return notes


def _climb(
    likelihood: RankingLikelihood,
    pairs: Pairs,
    groups: Groups,
    ridge: float,
    target: float,
    max_iterations: int,
) -> tuple[NDArray[np.float64], int, bool]:
    """Newton's method from zero; returns utilities, steps made and whether it converged."""
    utilities = np.zeros(likelihood.n_texts)
    value = likelihood.value(utilities)
    for iteration in range(max_iterations + 1):
        gradient, pair_weights = likelihood.derivatives(utilities)
        gradient = groups.centred(gradient - ridge * utilities)
        steepest = float(np.abs(gradient).max())
        if steepest <= target:
            return utilities, iteration, True
        if iteration == max_iterations:
            break
        system = System(pairs, pair_weights, groups, ridge)
        step = _newton_step(system, gradient, steepest)
        # Far from the maximum a full step can overshoot. Near it, the gain is lost in rounding,
        # so that a loss of that size is no reason to stop.
        gain = float(gradient @ step)
        if gain <= 0:  # an unfinished solution that does not lead upwards
            step = gradient / system.safe_diagonal
            gain = float(gradient @ step)
        rounding = 1e-13 * (abs(value) + 1)
        length = 1.0
        while True:
            trial = utilities + length * step
            reached = likelihood.value(trial) - ridge / 2 * float(trial @ trial)
            if reached >= value + 1e-4 * length * gain - rounding:
                break
            length /= 2
            if length < 1e-10:
                return utilities, iteration, False
        utilities, value = groups.centred(trial), reached
    return utilities, max_iterations, False


def _newton_step(
    system: System, gradient: NDArray[np.float64], steepest: float
) -> NDArray[np.float64]:
    if gradient.size <= DENSE_STEPS:
        try:
            return np.asarray(linalg.cho_solve(linalg.cho_factor(system.dense()), gradient))
        except linalg.LinAlgError:
            pass  # singular to rounding; the iteration below only needs a direction of ascent
    # The closer to the maximum, the more exactly a step is worth solving: steps then converge
    # quadratically, while early ones stay cheap.
    largest = float(system.diagonal.max())
    accuracy = min(0.1, max(steepest / largest, 1e-8))
    return system.solve(gradient[:, None], accuracy)[0][:, 0]
