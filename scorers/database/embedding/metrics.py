"""How well vectors of texts follow a hierarchy of values: figures, each with an interval.

Every figure is computed on all pairs of texts, exactly; pairs of one text group (near duplicates,
arguments about one conclusion) are left out, since what they share is their words.

Intervals are of a bootstrap by text group, on the linearised figure: each function also gives, for
every text, the derivative of its figure with respect to the text's weight (its influence, Hampel
1974; the infinitesimal jackknife of Jaeckel 1972, for areas under curves the placements of DeLong
et al. 1988). A replicate that draws group g m_g times then is the figure plus the sum of
(m_g − 1) times the group's influence. The same draws serve every figure and model of a table, so
that differences are paired.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from valueflow.hub_assets.errors import ValueflowError
from valueflow.hub_assets.seeds import generator_for
from valueflow.scorers.database.embedding.labels import LabelTable, level_bins, overlap

__all__ = [
    "Interval",
    "Measured",
    "Probe",
    "difference",
    "fit_probe",
    "group_weights",
    "interval",
    "measure",
    "probe_f1",
    "unit",
    "value_vectors",
]

Floats = NDArray[np.float64]
_BLOCK = 256


@dataclass(frozen=True)
class Measured:
    """A figure and the influence of each text on it, shape (n,)."""

    value: float
    influence: Floats


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 % interval and its standard error."""

    value: float
    low: float
    high: float
    se: float


def unit(vectors: object) -> NDArray[np.float32]:
    """Vectors of length 1.

    Raises:
        ValueflowError: they are no table of finite numbers.
    """
    found = np.asarray(vectors, dtype=np.float32)
    if found.ndim != 2 or not np.isfinite(found).all():
        raise ValueflowError(f"vectors of shape {found.shape} are not all finite")
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def measure(
    vectors: object, table: LabelTable, groups: NDArray[np.int64], k: int = 10
) -> dict[str, Measured]:
    """All figures of one theory that need nothing but the texts themselves.

    Args:
        vectors: of n texts, shape (n, d); their length does not matter.
        table: the texts' labels.
        groups: number of each text's group, shape (n,), from 0.
        k: neighbours that vote.

    Returns:
        By name: `rank accuracy (pairwise)`, `rank accuracy (strict)`, `similarity correlation`,
        `orthogonality (raw)`, `orthogonality (centred)`, `mean cosine`, `kNN accuracy, level L`
        and `distance: BIN`. What the labels do not allow (a single bin, a single value) is absent.
    """
    x = unit(vectors)
    n = len(x)
    pairs = _Pairs(n)
    ranks = _Ranks(n)
    neighbours = _Neighbours(table, k)
    names: Mapping[int, str] = {}
    for start in range(0, n, _BLOCK):
        block = np.arange(start, min(start + _BLOCK, n))
        part = table.rows(block)
        cosine = x[block] @ x.T
        bins, names = level_bins(part, table)
        allowed = groups[block][:, None] != groups[None, :]
        pairs.add(block, cosine, overlap(part, table), bins, allowed)
        for row, text in enumerate(block):
            others = np.flatnonzero(allowed[row])
            order = others[np.argsort(cosine[row, others], kind="stable")]
            ranks.add(int(text), order, cosine[row, order], bins[row, order])
            neighbours.add(int(text), order[::-1][:k])
    found = ranks.figures() | pairs.figures(names) | neighbours.figures()
    found |= _orthogonality(x, table, groups)
    return found


class _Ranks:
    """Areas under the curve between bins, and chances of a strictly right order, by anchor."""

    def __init__(self, n: int) -> None:
        self.pairwise = np.full(n, np.nan)
        self.strict = np.full(n, np.nan)
        self.as_other = np.zeros((2, n))

    def add(
        self, anchor: int, order: NDArray[np.int64], cosine: object, bins: NDArray[np.int8]
    ) -> None:
        """One anchor's other texts, from the farthest to the nearest."""
        present, bin_of = np.unique(bins, return_inverse=True)
        count = len(present)
        if count < 2:
            return
        size = np.bincount(bin_of).astype(float)
        first, last = _runs(np.asarray(cosine))
        onehot = bin_of[:, None] == np.arange(count)
        up_to = np.vstack([np.zeros(count), np.cumsum(onehot, axis=0)])
        # The share of each bin that lies farther away than a text, ties counted half.
        below = (up_to[first] + up_to[last]) / 2 / size
        mine = np.arange(count) < bin_of[:, None]
        won = np.where(mine, below, 1 - below)
        won[onehot] = 0
        area = (onehot.T @ won) / size[:, None]
        pairs = count * (count - 1) / 2
        self.pairwise[anchor] = area.sum() / 2 / pairs
        self.as_other[0, order] += (won - area[bin_of]).sum(axis=1) / size[bin_of] / pairs
        forth, back = _chains(bin_of, size, first, last)
        chance = forth * back
        self.strict[anchor] = chance[onehot[:, -1]].mean()
        self.as_other[1, order] += (chance - self.strict[anchor]) / size[bin_of]

    def figures(self) -> dict[str, Measured]:
        found = {}
        for which, (name, by_anchor) in enumerate(
            [("rank accuracy (pairwise)", self.pairwise), ("rank accuracy (strict)", self.strict)]
        ):
            there = np.isfinite(by_anchor)
            if there.any():
                mean = float(by_anchor[there].mean())
                influence = np.where(there, by_anchor - mean, 0) + self.as_other[which]
                found[name] = Measured(mean, influence / there.sum())
        return found


def _runs(sorted_values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each of sorted numbers, where the run of its equals begins, and where it ends."""
    n = len(sorted_values)
    new = np.flatnonzero(np.diff(sorted_values) != 0) + 1
    starts = np.concatenate([[0], new])
    run = np.searchsorted(starts, np.arange(n), side="right") - 1
    return starts[run], np.concatenate([new, [n]])[run]


def _chains(
    bin_of: NDArray[np.int64], size: Floats, first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """The chance that one text of each lower bin, drawn at random, lies below a text in strict
    order of the bins; and the same of the higher bins above it."""
    n, count = len(bin_of), len(size)
    forth, back = np.zeros(n), np.zeros(n)
    for number in range(count):
        here = bin_of == number
        if number == 0:
            forth[here] = 1
        else:
            lower = np.concatenate([[0], np.cumsum(np.where(bin_of == number - 1, forth, 0))])
            forth[here] = lower[first[here]] / size[number - 1]
    for number in reversed(range(count)):
        here = bin_of == number
        if number == count - 1:
            back[here] = 1
        else:
            above = np.where(bin_of == number + 1, back, 0)
            higher = np.concatenate([np.cumsum(above[::-1])[::-1], [0]])
            back[here] = higher[last[here]] / size[number + 1]
    return forth, back


class _Pairs:
    """Sums over pairs of texts, by text."""

    def __init__(self, n: int) -> None:
        self.moments = np.zeros((6, n))
        self.by_bin: dict[int, Floats] = {}
        self.n = n

    def add(
        self,
        block: NDArray[np.int64],
        cosine: NDArray[np.float32],
        target: NDArray[np.float32],
        bins: NDArray[np.int8],
        allowed: NDArray[np.bool_],
    ) -> None:
        x, y = (
            np.where(allowed, cosine, 0).astype(float),
            np.where(allowed, target, 0).astype(float),
        )
        for number, part in enumerate((allowed, x, y, x * x, y * y, x * y)):
            self.moments[number, block] = part.sum(axis=1)
        for bin_number in np.unique(bins):
            inside = allowed & (bins == bin_number)
            sums = self.by_bin.setdefault(int(bin_number), np.zeros((2, self.n)))
            sums[0, block] = inside.sum(axis=1)
            sums[1, block] = np.where(inside, 1 - cosine, 0).sum(axis=1)

    def figures(self, names: Mapping[int, str]) -> dict[str, Measured]:
        found = {}
        total, x, y, xx, yy, xy = self.moments.sum(axis=1)
        if total == 0:
            return {}
        found["mean cosine"] = _ratio(self.moments[1], self.moments[0])
        mean_x, mean_y = x / total, y / total
        var_x, var_y = xx / total - mean_x**2, yy / total - mean_y**2
        if var_x > 1e-12 and var_y > 1e-12:
            r = (xy / total - mean_x * mean_y) / np.sqrt(var_x * var_y)
            rows, of_x, of_y, of_xx, of_yy, of_xy = self.moments
            # Influence of a correlation: z_x z_y − r (z_x² + z_y²) / 2, summed over a text's pairs.
            zx_zy = (of_xy - mean_x * of_y - mean_y * of_x + rows * mean_x * mean_y) / np.sqrt(
                var_x * var_y
            )
            zx = (of_xx - 2 * mean_x * of_x + rows * mean_x**2) / var_x
            zy = (of_yy - 2 * mean_y * of_y + rows * mean_y**2) / var_y
            influence = 2 * (zx_zy - r * (zx + zy) / 2) / total
            found["similarity correlation"] = Measured(float(r), influence)
        for number, (count, distance) in sorted(self.by_bin.items()):
            if count.sum():
                found[f"distance: {names[number]}"] = _ratio(distance, count)
        return found


def _ratio(above: Floats, below: Floats) -> Measured:
    """A mean over pairs, from sums by text; every pair stands under both its texts."""
    value = above.sum() / below.sum()
    return Measured(float(value), 2 * (above - value * below) / below.sum())


class _Neighbours:
    """Whether the nearest texts of other groups vote for a node that a text has, by level."""

    def __init__(self, table: LabelTable, k: int) -> None:
        self.table = table
        self.k = k
        levels = range(1, int(table.levels.max()) + 1)
        self.right = {level: np.full(len(table), np.nan) for level in levels}

    def add(self, text: int, nearest: NDArray[np.int64]) -> None:
        votes = self.table.closure[nearest].sum(axis=0)
        for level, right in self.right.items():
            at = self.table.levels == level
            has = self.table.closure[text] & at
            if has.any() and len(nearest):
                most = int(np.argmax(np.where(at, votes, -1)))
                right[text] = float(has[most] and votes[most] > 0)

    def figures(self) -> dict[str, Measured]:
        found = {}
        for level, right in self.right.items():
            there = np.isfinite(right)
            if there.any():
                mean = float(right[there].mean())
                influence = np.where(there, right - mean, 0) / there.sum()
                found[f"kNN accuracy, level {level}"] = Measured(mean, influence)
        return found


def value_vectors(vectors: object, table: LabelTable, *, centred: bool) -> tuple[list[str], Floats]:
    """The mean vector of the texts under each macro-value that has any.

    Args:
        vectors: of n texts, shape (n, d).
        table: their labels.
        centred: whether the mean of all texts is taken off first.

    Returns:
        Names of the values, and unit vectors, shape (values, d).
    """
    x = unit(vectors).astype(float)
    names, under = table.values()
    there = [number for number in range(len(names)) if under[:, number].any()]
    sums = under[:, there].T.astype(float) @ x
    found = sums / under[:, there].sum(axis=0)[:, None]
    if centred:
        found -= x.mean(axis=0)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return [names[number] for number in there], found


def _orthogonality(
    x: NDArray[np.float32], table: LabelTable, groups: NDArray[np.int64]
) -> dict[str, Measured]:
    """1 − the mean absolute cosine of two value vectors; influences by leaving out each group."""
    _, under = table.values()
    under = under[:, under.any(axis=0)]
    if under.shape[1] < 2:
        return {}
    wide, member = x.astype(float), under.astype(float)
    sums, count = member.T @ wide, member.sum(axis=0)
    whole, n = wide.sum(axis=0), len(x)

    def of(sums: Floats, count: Floats, whole: Floats, n: int) -> Floats:
        raw = sums / np.maximum(count, 1)[:, None]
        found = []
        for vectors in (raw, raw - whole / max(n, 1)):
            there = vectors[count > 0]
            there = there / np.maximum(np.linalg.norm(there, axis=1, keepdims=True), 1e-12)
            pairs = np.abs(there @ there.T)[np.triu_indices(len(there), 1)]
            found.append(1 - pairs.mean() if len(pairs) else np.nan)
        return np.array(found)

    value = of(sums, count, whole, n)
    influence = np.zeros((2, n))
    for group in np.unique(groups):
        inside = groups == group
        less = of(
            sums - member[inside].T @ wide[inside],
            count - member[inside].sum(axis=0),
            whole - wide[inside].sum(axis=0),
            n - int(inside.sum()),
        )
        influence[:, inside] = np.nan_to_num(value - less)[:, None] / inside.sum()
    names = ("orthogonality (raw)", "orthogonality (centred)")
    return {name: Measured(float(v), i) for name, v, i in zip(names, value, influence, strict=True)}


@dataclass(frozen=True)
class Probe:
    """A linear probe: which columns it tells, weights of shape (d + 1, columns), and the shift and
    scale that a vector is brought to first."""

    columns: NDArray[np.int64]
    weights: Floats
    mean: Floats
    scale: float


def fit_probe(vectors: object, truth: NDArray[np.bool_], penalty: float = 1.0) -> Probe:
    """Logistic regressions, one a column, each class weighing the same.

    Args:
        vectors: of the texts to learn from, shape (n, d).
        truth: which text has which label, shape (n, columns); columns that are all one are left
            out.
        penalty: of the squared weights, against the sum of log losses over n/2 texts each class.
    """
    x = unit(vectors).astype(float)
    columns = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
    y = truth[:, columns].astype(float)
    mean = x.mean(axis=0)
    scale = float((x - mean).std()) or 1.0
    wide = np.hstack([(x - mean) / scale, np.ones((len(x), 1))])
    share = y.mean(axis=0)
    weight = np.where(y > 0, 0.5 / share, 0.5 / (1 - share))
    shape = (wide.shape[1], len(columns))
    ridge = np.full((shape[0], 1), penalty)
    ridge[-1] = 0
    sign = 2 * y - 1

    def loss(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(shape)
        margin = sign * (wide @ w)
        value = (weight * np.logaddexp(0, -margin)).sum() + (ridge * w**2).sum() / 2
        slope = wide.T @ (-weight * sign / (1 + np.exp(np.clip(margin, -50, 50)))) + ridge * w
        return float(value), slope.ravel()

    fitted = minimize(
        loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300}
    )
    return Probe(columns, fitted.x.reshape(shape), mean, scale)


def probe_f1(probe: Probe, vectors: object, truth: NDArray[np.bool_]) -> Measured:
    """The macro-averaged F1 of a probe over the labels that it tells and the texts have."""
    x = unit(vectors).astype(float)
    wide = np.hstack([(x - probe.mean) / probe.scale, np.ones((len(x), 1))])
    said = wide @ probe.weights > 0
    known = truth[:, probe.columns]
    there = known.any(axis=0)
    said, known = said[:, there], known[:, there]
    hits, wrong = (said & known).astype(float), (said ^ known).astype(float)
    below = 2 * hits.sum(axis=0) + wrong.sum(axis=0)
    f1 = 2 * hits.sum(axis=0) / below
    influence = (2 * hits - f1 * (2 * hits + wrong)) / below
    return Measured(float(f1.mean()), influence.mean(axis=1))


def group_weights(groups: NDArray[np.int64], replicates: int, seed: int) -> Floats:
    """How often each group is drawn in each replicate, less one; shape (replicates, groups)."""
    count = int(groups.max()) + 1
    drawn = generator_for(seed, "hives", "bootstrap").multinomial(
        count, np.full(count, 1 / count), size=replicates
    )
    return np.asarray(drawn - 1.0)


def interval(figure: Measured, groups: NDArray[np.int64], weights: Floats) -> Interval:
    """The 95 % percentile interval of a figure; see the module's text.

    Args:
        figure: with an influence for each text.
        groups: number of each text's group, from 0.
        weights: from `group_weights`.
    """
    by_group = np.bincount(groups, figure.influence, minlength=weights.shape[1])
    moved = weights @ by_group
    low, high = np.quantile(moved, [0.025, 0.975])
    return Interval(
        figure.value, float(figure.value + low), float(figure.value + high), float(moved.std())
    )


def difference(one: Measured, other: Measured) -> Measured:
    """A paired difference of two figures on the same texts."""
    return Measured(one.value - other.value, one.influence - other.influence)


Metric = Callable[[object, LabelTable, NDArray[np.int64]], Measured]
