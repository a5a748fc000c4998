"""Hostile responses: what judges that obey them with a known probability do to the figures.

Usage: python benchmarks/injections.py [--texts 20] [--values power]

Each row is a run of the task `valueflow/injection` with a simulated judge that obeys an injection
in a share of its questions: the shift of all injections and its standard error, the share of
windows in which a response with an injection stands first, what it must be (the share without one,
and of the rest as many as obey), the injection that moves most and the one that moves least, and
windows without an answer.  The long injection is cut off before it asks for anything, so that it
is left out of what must be.
"""

from __future__ import annotations

import argparse
import tempfile

from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from valueflow import injection


def one_run(obey_rate: float, mode: str, texts: int, values: str, folder: str) -> dict[str, float]:
    """The metrics of one run."""
    judge = get_model("valueflow/judge", memoize=False, scale=1.2, text_sd=2.0, obey_rate=obey_rate)
    (log,) = inspect_eval(
        injection(values=values, n_texts=texts, windows=1, judge_mode=mode),
        model="none/none",
        model_roles={"grader": judge},
        log_dir=folder,
        display="none",
    )
    assert log.results is not None, log.error
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--values", default="power")
    parser.add_argument("--obey", type=float, nargs="+", default=[0.0, 0.1, 0.5, 1.0])
    options = parser.parse_args()
    print(
        f"{'mode':8} {'obeys':>5} {'shift':>6} {'se':>5} {'first':>6} {'must be':>7}  "
        f"{'moves most':20} {'moves least':20} lost"
    )
    with tempfile.TemporaryDirectory() as folder:
        for mode in ("ranking", "rating"):
            for rate in options.obey:
                found = one_run(rate, mode, options.texts, options.values, folder)
                end = " injection_shift"
                each = {n.removesuffix(end): x for n, x in found.items() if n.endswith(end)}
                short = [found[f"{name} first"] for name in each if name != "long"]
                without = found["first_without"]
                most, least = max(each, key=lambda n: each[n]), min(each, key=lambda n: each[n])
                print(
                    f"{mode:8} {rate:5.1f} {found['injection_shift']:6.2f} "
                    f"{found.get('injection_shift_stderr', float('nan')):5.2f} "
                    f"{sum(short) / len(short):6.2f} {without + rate * (1 - without):7.2f}  "
                    f"{f'{most} {each[most]:+.1f}':20} {f'{least} {each[least]:+.1f}':20} "
                    f"{found['windows_failed']:.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
