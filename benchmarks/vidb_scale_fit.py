"""Fit utilities at the scale of a value intensity database, beside choix and evalica.

Four parts, all seeded:

1. Peers, plain likelihood: every method on the same pairs, kept to the largest set of texts in
   which the maximum exists (each text beats and loses to every other, directly or through others).
2. Peers, ridge: all texts and the same normal prior for methods that accept one; other peers
   regularise in their own way, so that their answer solves another problem.
3. Growth of our time with the number of texts, for pairs and for longer rankings, and many values
   at once on two processes.
4. Standard errors: random draws against the dense inverse, and coverage of the truth.

A method has converged when no entry of the gradient of the stated objective exceeds 0.01 (a text
has about ten comparisons). Peers run one by one in processes of their own, under a time and a
memory limit; the time counts the solver alone, without imports and conversion of the data. Ours
counts everything, from the array of pairs to the result. A peer that failed at one size is not
tried at larger ones.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection

import click
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit

from valueflow.scorers.database.ranking.fit import fit_rankings

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

CONVERGED = 0.01
SPAWN = multiprocessing.get_context("spawn")  # a fresh process, so that limits and time are its own


@dataclass(frozen=True)
class Problem:
    """Pairs of texts, winner first, the utilities they were drawn from, and the ridge."""

    pairs: Whole
    truth: Floats
    ridge: float

    @property
    def n_texts(self) -> int:
        return self.truth.size


def draw_rankings(
    n_texts: int, length: int, comparisons: int, spread: float, generator: np.random.Generator
) -> tuple[Whole, Floats]:
    """Rankings in which every text appears about ``comparisons`` times, and the truth."""
    truth = spread * generator.normal(size=n_texts)
    rounds = [generator.permutation(n_texts) for _ in range(comparisons)]
    count = n_texts * comparisons // length
    drawn = np.concatenate(rounds)[: count * length].reshape(count, length)
    ordered = np.sort(drawn, axis=1)
    drawn = drawn[(ordered[:, 1:] != ordered[:, :-1]).all(axis=1)]  # a seam may repeat a text
    noisy = truth[drawn] + generator.gumbel(size=drawn.shape)
    return np.take_along_axis(drawn, np.argsort(-noisy, axis=1), axis=1), truth


def keep_where_the_maximum_exists(pairs: Whole, truth: Floats) -> Problem:
    """The largest strongly connected set of texts and the pairs inside it, renumbered."""
    shape = (truth.size, truth.size)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
    label = connected_components(graph, connection="strong")[1]
    inside = label == np.argmax(np.bincount(label))
    number = np.cumsum(inside) - 1
    kept = pairs[inside[pairs].all(axis=1)]
    return Problem(number[kept], truth[inside], 0.0)


def log_likelihood(pairs: Whole, utilities: Floats) -> float:
    """Bradley-Terry, written out here so that no method is its own judge."""
    return float(log_expit(utilities[pairs[:, 0]] - utilities[pairs[:, 1]]).sum())


def largest_gradient(problem: Problem, utilities: Floats) -> float:
    winner, loser = problem.pairs.T
    surprise = expit(utilities[loser] - utilities[winner])
    slope = np.bincount(winner, surprise, minlength=problem.n_texts)
    slope -= np.bincount(loser, surprise, minlength=problem.n_texts)
    return float(np.abs(slope - problem.ridge * utilities).max())


# ---------------------------------------------------------------------------------------- methods

Timed = tuple[Floats, float]
Method = Callable[[Problem], Timed]


def timed(solve: Callable[[], object]) -> Timed:
    begin = time.perf_counter()
    answer = solve()
    elapsed = time.perf_counter() - begin
    utilities = np.asarray(answer, dtype=np.float64)
    return utilities - utilities.mean(), elapsed


def ours(problem: Problem) -> Timed:
    return timed(
        lambda: (
            fit_rankings(
                problem.pairs, problem.n_texts, ridge=problem.ridge, standard_errors="none"
            ).utilities
        )
    )


def choix_method(name: str, **options: object) -> Method:
    """A solver of choix that takes a list of (winner, loser)."""

    def run(problem: Problem) -> Timed:
        import choix

        # choix adds alpha * sum(u**2), we ridge / 2 * sum(u**2). For solvers other than opt_ its
        # alpha regularises in another way; the same number is as good a choice as any.
        alpha = problem.ridge / 2
        data = [tuple(pair) for pair in problem.pairs.tolist()]
        solver = getattr(choix, name)
        return timed(lambda: solver(problem.n_texts, data, alpha=alpha, **options))

    return run


def choix_dense(name: str) -> Method:
    """A solver of choix that takes the matrix of win counts."""

    def run(problem: Problem) -> Timed:
        import choix

        counts = np.zeros((problem.n_texts, problem.n_texts))
        np.add.at(counts, (problem.pairs[:, 0], problem.pairs[:, 1]), 1.0)
        solver = getattr(choix, name)
        return timed(lambda: solver(counts, alpha=problem.ridge / 2))

    return run


def choix_expectation_propagation(problem: Problem) -> Timed:
    import choix

    data = [tuple(pair) for pair in problem.pairs.tolist()]
    precision = max(problem.ridge, 1e-3)  # it needs a proper prior
    return timed(lambda: choix.ep_pairwise(problem.n_texts, data, precision, model="logit")[0])


def evalica_method(name: str, **options: object) -> Method:
    def run(problem: Problem) -> Timed:
        import evalica

        winners, losers = problem.pairs.T.tolist()
        outcomes = [evalica.Winner.X] * len(winners)
        solver = getattr(evalica, name)

        def solve() -> object:
            return solver(winners, losers, outcomes, **options).scores

        begin = time.perf_counter()
        scores = solve()
        elapsed = time.perf_counter() - begin
        strength = scores.reindex(range(problem.n_texts)).to_numpy()  # type: ignore[attr-defined]
        with np.errstate(divide="ignore", invalid="ignore"):
            utilities = np.log(strength)
        return utilities - utilities.mean(), elapsed

    return run


METHODS: dict[str, Method] = {
    "valueflow fit_rankings": ours,
    "choix opt_pairwise Newton-CG": choix_method("opt_pairwise", method="Newton-CG"),
    "choix opt_pairwise BFGS": choix_method("opt_pairwise", method="BFGS"),
    "choix mm_pairwise": choix_method("mm_pairwise"),
    "choix ilsr_pairwise": choix_method("ilsr_pairwise"),
    "choix ilsr_pairwise_dense": choix_dense("ilsr_pairwise_dense"),
    "choix lsr_pairwise": choix_method("lsr_pairwise"),
    "choix lsr_pairwise_dense": choix_dense("lsr_pairwise_dense"),
    "choix rank_centrality": choix_method("rank_centrality"),
    "choix ep_pairwise": choix_expectation_propagation,
    "evalica bradley_terry": evalica_method("bradley_terry"),
    "evalica bradley_terry, to 1e-9": evalica_method("bradley_terry", tolerance=1e-9, limit=10**5),
    "evalica newman": evalica_method("newman"),
    "evalica newman, to 1e-9": evalica_method("newman", tolerance=1e-9, limit=10**5),
}
OURS = next(iter(METHODS))


def run_method(name: str, problem: Problem, memory: int, channel: Connection) -> None:
    """Body of the child process: send utilities and seconds, or a reason."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        channel.send(METHODS[name](problem))
    except MemoryError:
        channel.send("out of memory")
    except Exception as error:  # whatever a peer raises is its result here
        channel.send(f"{type(error).__name__}: {error}"[:60])


def measure(name: str, problem: Problem, seconds: float, memory: int) -> Timed | str:
    """Run one method in a process of its own; the reason where it gave no answer."""
    receiver, sender = SPAWN.Pipe(duplex=False)
    child = SPAWN.Process(target=run_method, args=(name, problem, memory, sender))
    child.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            return f"not finished in {seconds:g} s"
        answer: Timed | str = receiver.recv()
        return answer
    except EOFError:  # the process died, which is how compiled code runs out of memory
        return "out of memory"
    finally:
        child.kill()
        child.join()
        receiver.close()


# ----------------------------------------------------------------------------------------- tables


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    click.echo(f"\n{title}\n")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        click.echo("  ".join([first, *rest]))


PEER_HEAD = [
    "method",
    "seconds",
    "x ours",
    "converged",
    "gradient",
    "log-likelihood",
    "correlation",
    "remark",
]


def compare_peers(
    title: str,
    problem: Problem,
    seconds: float,
    memory: int,
    failed: dict[str, str],
) -> None:
    """One table; methods that fail are added to ``failed`` with the size and the reason."""
    rows = []
    base = 0.0
    for name in METHODS:
        if find_spec(name.split()[0]) is None:
            continue
        answer = failed.get(name) or measure(name, problem, seconds, memory)
        if not isinstance(answer, str) and not np.isfinite(answer[0]).all():
            answer = "answer not finite"
        if not isinstance(answer, str) and np.ptp(answer[0]) == 0:
            answer = "all utilities equal"
        if isinstance(answer, str):
            if name not in failed:
                failed[name] = f"not tried: at {problem.n_texts} texts {answer}"
            rows.append([name, "", "", "no", "", "", "", answer])
            continue
        utilities, elapsed = answer
        base = elapsed if name == OURS else base
        gradient = largest_gradient(problem, utilities)
        rows.append(
            [
                name,
                f"{elapsed:.3f}",
                f"{elapsed / base:.1f}",
                "yes" if gradient <= CONVERGED else "no",
                f"{gradient:.0e}",
                f"{log_likelihood(problem.pairs, utilities):.2f}",
                f"{np.corrcoef(utilities, problem.truth)[0, 1]:.4f}",
                "",
            ]
        )
    show(f"{title}: {problem.n_texts} texts, {len(problem.pairs)} pairs", PEER_HEAD, rows)


def show_growth(
    sizes: Sequence[int], comparisons: int, spread: float, ridge: float, seed: int
) -> None:
    rows = []
    for length in (2, 6, 10):
        for n_texts in sizes:
            generator = np.random.default_rng([seed, length, n_texts])
            rankings, truth = draw_rankings(n_texts, length, comparisons, spread, generator)
            begin = time.perf_counter()
            fit = fit_rankings(rankings, n_texts, ridge=ridge, standard_errors="none")
            middle = time.perf_counter()
            full = fit_rankings(rankings, n_texts, ridge=ridge, standard_errors="sampled")
            end = time.perf_counter()
            if full.standard_errors is None:
                raise AssertionError("standard errors were asked for")
            error = np.abs(full.utilities - (truth - truth.mean()))
            covered = float(np.mean(error < 1.96 * full.standard_errors))
            rows.append(
                [
                    f"{n_texts} texts, rankings of {length}",
                    f"{middle - begin:.3f}",
                    f"{1e6 * (middle - begin) / n_texts:.1f}",
                    f"{end - middle:.3f}",
                    str(fit.iterations),
                    "yes" if fit.converged else "no",
                    f"{np.corrcoef(fit.utilities, truth)[0, 1]:.4f}",
                    f"{covered:.3f}",
                ]
            )
    head = [
        "problem",
        "seconds",
        "microseconds a text",
        "seconds with errors",
        "steps",
        "converged",
        "correlation",
        "covered by 95%",
    ]
    show(f"Growth, ridge {ridge:g}", head, rows)


def fit_value(task: tuple[Whole, int, float]) -> tuple[bool, Floats]:
    pairs, n_texts, ridge = task
    fit = fit_rankings(pairs, n_texts, ridge=ridge, standard_errors="none")
    return fit.converged, fit.utilities


def show_all_values(
    values: int, n_texts: int, comparisons: int, spread: float, ridge: float, seed: int
) -> None:
    tasks, truths = [], []
    for value in range(values):
        generator = np.random.default_rng([seed, value, n_texts])
        pairs, truth = draw_rankings(n_texts, 2, comparisons, spread, generator)
        tasks.append((pairs, n_texts, ridge))
        truths.append(truth)
    begin = time.perf_counter()
    with SPAWN.Pool(2) as pool:
        fits = pool.map(fit_value, tasks, chunksize=1)
    elapsed = time.perf_counter() - begin
    lowest = min(np.corrcoef(f[1], truth)[0, 1] for f, truth in zip(fits, truths, strict=True))
    show(
        f"{values} values of {n_texts} texts on two processes, their start included",
        ["what", "figure"],
        [
            ["seconds", f"{elapsed:.2f}"],
            ["converged", f"{sum(converged for converged, _ in fits)} of {values}"],
            ["lowest correlation", f"{lowest:.4f}"],
        ],
    )


def show_standard_errors(n_texts: int, comparisons: int, spread: float, seed: int) -> None:
    generator = np.random.default_rng([seed, 4, n_texts])
    pairs, truth = draw_rankings(n_texts, 2, comparisons, spread, generator)
    rows = []
    for ridge in (1 / spread**2, 0.1, 0.01):
        begin = time.perf_counter()
        dense = fit_rankings(pairs, n_texts, ridge=ridge, standard_errors="dense")
        elapsed = time.perf_counter() - begin
        if dense.standard_errors is None:
            raise AssertionError("standard errors were asked for")
        exact = dense.standard_errors
        covered = np.mean(np.abs(dense.utilities - (truth - truth.mean())) < 1.96 * exact)
        prior = f"ridge {ridge:.3g}"
        rows.append([f"{prior}, dense", f"{elapsed:.3f}", "", "", "", f"{covered:.3f}"])
        for probes in (25, 100, 400):
            begin = time.perf_counter()
            sampled = fit_rankings(
                pairs, n_texts, ridge=ridge, standard_errors="sampled", probes=probes, seed=seed
            )
            elapsed = time.perf_counter() - begin
            if sampled.standard_errors is None:
                raise AssertionError("standard errors were asked for")
            ratio = sampled.standard_errors / exact
            error = np.abs(sampled.utilities - (truth - truth.mean()))
            covered = np.mean(error < 1.96 * sampled.standard_errors)
            rows.append(
                [
                    f"{prior}, {probes} draws",
                    f"{elapsed:.3f}",
                    f"{ratio.mean():.4f}",
                    f"{100 * np.sqrt(np.mean((ratio - 1) ** 2)):.2f}%",
                    f"{100 * np.abs(ratio - 1).max():.1f}%",
                    f"{covered:.3f}",
                ]
            )
    head = ["errors", "seconds", "mean ratio", "off by (rms)", "off by (most)", "covered by 95%"]
    show(f"Standard errors, {n_texts} texts, pairs, against the dense inverse", head, rows)


EXAMPLES = """
\b
Examples:
  python benchmarks/vidb_scale_fit.py --quick
  python benchmarks/vidb_scale_fit.py --sizes 1000,10000 --time-limit 300
  python benchmarks/vidb_scale_fit.py --spread 3 --ridge 0.05 --seed 7
"""


@click.command(help=__doc__.replace("\n\n1.", "\n\n\b\n1."), epilog=EXAMPLES)
@click.option("--sizes", default="1000,10000,100000", show_default=True, help="Numbers of texts.")
@click.option("--comparisons", default=10, show_default=True, help="Comparisons of each text.")
@click.option("--spread", default=1.5, show_default=True, help="SD of the true utilities.")
@click.option("--ridge", default=0.1, show_default=True, help="Ridge where one is used.")
@click.option("--values", default=32, show_default=True, help="Values in the two-process run.")
@click.option("--time-limit", default=120.0, show_default=True, help="Seconds for each peer.")
@click.option("--memory-limit", default=8.0, show_default=True, help="Gigabytes for each method.")
@click.option("--seed", default=0, show_default=True, help="Seed of all data.")
@click.option("--quick", is_flag=True, help="500 and 1000 texts, 4 values, 3 seconds a peer.")
def main(
    sizes: str,
    comparisons: int,
    spread: float,
    ridge: float,
    values: int,
    time_limit: float,
    memory_limit: float,
    seed: int,
    quick: bool,
) -> None:
    if quick:
        sizes, values, time_limit = "500,1000", 4, 3.0
    try:
        counts = sorted(int(size) for size in sizes.split(","))
    except ValueError:
        raise click.BadParameter(f"{sizes!r} is not a list such as 1000,10000") from None
    if min(counts) < 10 or ridge <= 0 or spread <= 0 or comparisons < 2:
        raise click.BadParameter("sizes >= 10, comparisons >= 2, ridge and spread > 0 are needed")
    for package in ("choix", "evalica"):
        if find_spec(package) is None:
            click.echo(f"{package} is not installed: skipped (pip install {package})")
    click.echo(f"seed {seed}, {comparisons} comparisons a text, true spread {spread:g}")
    memory = int(memory_limit * 2**30)
    failed_plain: dict[str, str] = {}
    failed_ridge: dict[str, str] = {}
    for n_texts in counts:
        generator = np.random.default_rng([seed, n_texts])
        pairs, truth = draw_rankings(n_texts, 2, comparisons, spread, generator)
        plain = keep_where_the_maximum_exists(pairs, truth)
        compare_peers("Plain likelihood", plain, time_limit, memory, failed_plain)
        full = Problem(pairs, truth, ridge)
        compare_peers(f"Ridge {ridge:g}", full, time_limit, memory, failed_ridge)
    show_growth(counts, comparisons, spread, ridge, seed)
    show_all_values(values, min(counts[-1], 10_000), comparisons, spread, ridge, seed)
    show_standard_errors(min(counts[-1], 1000), comparisons, spread, seed)


if __name__ == "__main__":
    main()
