"""The linear systems of the large ranking fit: Newton steps and variances.

The negative Hessian of a Plackett-Luce log-likelihood is the Laplacian of a sparse weighted graph
on the texts, plus the ridge on the diagonal. It is solved by conjugate gradients; variances are the
diagonal of its inverse, exact for few texts and from random draws for many.

Reference: Siden, Lindgren, Bolin and Villani, *Efficient covariance approximations for large sparse
precision matrices*, Journal of Computational and Graphical Statistics 27 (2018).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import spilu

__all__ = ["Groups", "Pairs", "System"]

PATIENCE = 250  # iterations of conjugate gradients before a stronger preconditioner is built
PROBES_AT_ONCE = 25  # columns solved together: enough to share the matrix, small in memory


class Pairs:
    """The pairs of texts that share a choice; holds the sparsity pattern, which never changes."""

    def __init__(self, first: NDArray[np.intp], second: NDArray[np.intp], n_texts: int) -> None:
        self.first, self.second, self.n_texts = first, second, n_texts
        ends = (np.concatenate([first, second]), np.concatenate([second, first]))
        number = np.tile(np.arange(first.size), 2)
        self._pattern = sparse.coo_array((number, ends), shape=(n_texts, n_texts)).tocsr()

    def weighted(self, weights: NDArray[np.float64]) -> sparse.csr_array:
        """Symmetric matrix with the weight of each pair in both of its places.

        Args:
            weights: one per pair.
        """
        pattern = self._pattern
        return sparse.csr_array(
            (weights[pattern.data], pattern.indices, pattern.indptr), shape=pattern.shape
        )

    def incidence(self, values: NDArray[np.float64]) -> sparse.csr_array:
        """Texts by pairs: for each pair its value at one text, the negative at the other.

        Args:
            values: one per pair.
        """
        number = np.arange(self.first.size)
        ends = (np.concatenate([self.first, self.second]), np.concatenate([number, number]))
        shape = (self.n_texts, number.size)
        return sparse.coo_array((np.concatenate([values, -values]), ends), shape=shape).tocsr()


class Groups:
    """Texts that are centred together."""

    def __init__(self, label: NDArray[np.intp]) -> None:
        self.label = label.astype(np.intp)
        self.sizes = np.bincount(self.label)
        ones = np.ones(label.size)
        self.membership = sparse.coo_array((ones, (self.label, np.arange(label.size)))).tocsr()

    def centred(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Subtract from each column its mean within every group.

        Args:
            values: (texts, columns).
        """
        if self.sizes.size == 1:
            return np.asarray(values - values.mean(axis=0))
        sums = np.asarray(self.membership @ values)
        means = sums / (self.sizes[:, None] if values.ndim == 2 else self.sizes)
        return np.asarray(values - means[self.label])


class System:
    """The negative Hessian of the objective: a graph Laplacian plus the ridge."""

    def __init__(
        self, pairs: Pairs, pair_weights: NDArray[np.float64], groups: Groups, ridge: float
    ) -> None:
        self.pairs, self.pair_weights, self.groups, self.ridge = pairs, pair_weights, groups, ridge
        self.neighbours = pairs.weighted(pair_weights)
        self.diagonal = np.asarray(self.neighbours.sum(axis=1), dtype=np.float64) + ridge
        # Texts outside every choice have nothing to solve for; 1 keeps them out of the way.
        self.safe_diagonal: NDArray[np.float64] = np.where(self.diagonal > 0, self.diagonal, 1.0)
        self._precondition: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None

    def solve(
        self, right: NDArray[np.float64], tolerance: float
    ) -> tuple[NDArray[np.float64], bool]:
        """Solve for right-hand sides (columns) that are centred; also whether it succeeded.

        Args:
            right: (texts, columns).
            tolerance: largest remaining residual of a column, as a share of its norm.
        """
        if self._precondition is None:
            answer, done = self._conjugate_gradients(right, tolerance, self._divide, PATIENCE)
            if done:
                return answer, True
            # Long thin comparison graphs (texts compared with their neighbours on the scale) need
            # very many iterations with the diagonal alone, but are cheap to factorise.
            self._precondition = self._incomplete_factorisation()
        return self._conjugate_gradients(right, tolerance, self._precondition, 8 * PATIENCE)

    def _divide(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values / self.safe_diagonal[:, None]

    def _incomplete_factorisation(self) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        lifted = self.safe_diagonal * (1 + 1e-10)
        matrix = (sparse.diags_array(lifted) - self.neighbours).tocsc()
        try:
            factor = spilu(
                matrix, drop_tol=1e-5, fill_factor=20, diag_pivot_thresh=0.0, permc_spec="COLAMD"
            )
        except RuntimeError:  # exactly singular
            return self._divide
        return lambda values: np.asarray(factor.solve(values))

    def _conjugate_gradients(
        self,
        right: NDArray[np.float64],
        tolerance: float,
        precondition: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        limit: int,
    ) -> tuple[NDArray[np.float64], bool]:
        answer = np.zeros_like(right)
        residual = right.copy()
        target = tolerance * np.linalg.norm(right, axis=0)
        direction = np.zeros_like(right)
        before = np.ones(right.shape[1])
        for _ in range(limit):
            if np.all(np.linalg.norm(residual, axis=0) <= target):
                return self.groups.centred(answer), True
            ready = precondition(residual)
            now = np.einsum("ij,ij->j", residual, ready)
            direction = ready + direction * (now / before)
            image = self.safe_diagonal[:, None] * direction - self.neighbours @ direction
            curvature = np.einsum("ij,ij->j", direction, image)
            # A column that is solved exactly has no curvature left and stands still.
            length = np.divide(now, curvature, out=np.zeros_like(now), where=curvature > 0)
            answer += length * direction
            residual -= length * image
            before = np.where(now > 0, now, 1.0)
        return self.groups.centred(answer), False

    def dense(self) -> NDArray[np.float64]:
        """The matrix with the mean of each group held down, so that it has an inverse."""
        label, sizes = self.groups.label, self.groups.sizes
        matrix = np.diag(self.safe_diagonal) - self.neighbours.toarray()
        same = label[:, None] == label[None, :]
        return np.asarray(matrix + np.where(same, self._hold() / sizes[label], 0.0))

    def _hold(self) -> float:
        return float(self.safe_diagonal.mean())

    def dense_variances(self) -> NDArray[np.float64]:
        """Diagonal of the inverse within groups, by a dense factorisation."""
        # The vector of ones of a group is an eigenvector, with eigenvalue ridge plus hold: its
        # share of the inverse is known, and taking it away leaves the variance about the mean.
        share = 1 / (self.ridge + self._hold()) / self.groups.sizes[self.groups.label]
        factor = linalg.cho_factor(self.dense(), lower=True)
        inverse = linalg.cho_solve(factor, np.eye(share.size))
        return np.maximum(np.diag(inverse) - share, 0.0)

    def sampled_variances(
        self, probes: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], bool]:
        """The same diagonal from random draws, in time linear in the pairs.

        With ``D`` the diagonal, ``W`` the neighbour weights, ``A = D - W`` and ``P`` the centring
        within groups, the matrix sought is ``C = P inv(A)``. Using ``A C = P`` twice,
        ``C = inv(D) P + inv(D) W P inv(D) + inv(D) W C W inv(D)``: the first two terms have known
        diagonals and hold most of the variance; the third is the variance of ``inv(D) W x`` for
        draws ``x`` with covariance ``C`` (Siden et al. 2018). Such draws cost one linear system
        each: the Laplacian is the covariance of independent noise of variance ``w`` pushed along
        every pair, in at one end and out at the other.

        Args:
            probes: number of draws.
            generator: draws.

        Returns:
            Variances, one per text, and whether every system was solved.
        """
        spread = self.pairs.incidence(np.sqrt(self.pair_weights))
        n_texts = self.diagonal.size
        total = np.zeros(n_texts)
        success = True
        for begin in range(0, probes, PROBES_AT_ONCE):
            columns = min(PROBES_AT_ONCE, probes - begin)
            noise = spread @ random_signs(generator, (self.pair_weights.size, columns))
            if self.ridge > 0:
                own = np.sqrt(self.ridge) * random_signs(generator, (n_texts, columns))
                noise += self.groups.centred(own)
            draws, done = self.solve(noise, 1e-4)
            success &= done
            total += np.sum((self.neighbours @ draws) ** 2, axis=1)
        size = self.groups.sizes[self.groups.label]
        known = (1 - 1 / size) / self.safe_diagonal
        known -= (self.diagonal - self.ridge) / (size * self.safe_diagonal**2)
        return np.maximum(known + total / probes / self.safe_diagonal**2, 0.0), success


def random_signs(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Random signs: variance one, and less noise in a variance estimate than normal draws.

    Args:
        generator: draws.
        shape: of the result.
    """
    coins = generator.integers(0, 2, size=shape, dtype=np.int8)
    return 2 * coins.astype(np.float64) - 1
