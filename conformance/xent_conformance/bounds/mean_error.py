"""Bound of the mean signed error of many row losses.

The bound of one loss of C classes is that of the worst order of its sum, about u C / 2. Roundings to nearest have
either sign, so over many rows of different numbers they cancel; the effect of a constant with too few digits, or of a
truncated result, does not. An error is the sum of a part that may have the same sign in all rows and of roundings:

    e_i = b_i + sum_k r_ik,    |b_i| <= B_i,    |r_ik| <= R_ik,    E[r_ik | those before] = 0

B_i contains the errors of exp and log, the roundings of exp's arguments, and the rounding of a stored class sum: it is
``log_sum_error`` without the height of the sum. The r_ik are the roundings of the C - 1 additions, each at most u_a
times a partial sum s_k in units of the whole sum; of x - max; of the final subtraction; and of the result. By the
Azuma-Hoeffding inequality the magnitude of the mean of n errors is, except with probability alpha, at most

    T = (1/n) sum_i B_i + (1/n) sqrt(2 log(2 / alpha) sum_i V_i)
    V_i = sum_k R_ik^2 = u_a^2 sum_k s_k^2 + u_i^2 (d_i^2 + nlp_i^2) + u_o^2 nlp_i^2

with the partial sums of the worst tree, as in ``class_sum``, and d_i the distance of the label's logit from the
maximum (in form B the larger of that and logsumexp). In float32 and float64 the bound of one loss is 13 T for 1024 rows
of 300 classes, 29 T for 400 of 1000 and 48 T for 128 of 3000; with one rounding to bfloat16 or float16 at the end it is
4.4, 2.8 and 1.6 T. Over three seeds, the largest mean of numpy, torch and the implementations of ``tests/correct`` was
0.2 T for those whose logarithm has an error of one sign, and 0.14 T for the others. Computing exp as exp2 with 1.4427
for log2(e) stays within the bound of every single loss of a run in rows of more than 256 classes, but its mean error is
5.6 T.

That roundings have expectation zero is the usual model (N. Higham and T. Mary, A new approach to probabilistic rounding
error analysis, SIAM J. Sci. Comput. 41, 2019). It needs rounding to nearest, terms that are not all alike, and no term
so small that it is lost entirely in the sum; so the bound is used only for rows of random logits.
"""

from __future__ import annotations

import math

import numpy as np

from xent_conformance.bounds.class_sum import log_sum_error
from xent_conformance.bounds.tolerances import Bounds


def mean_loss_error(bounds: Bounds, chance: float) -> float:
    """T: bound of the mean signed error of the row losses, which a correct one exceeds with a small probability.

    It holds for class indices without weights, smoothing and ignored rows. ``chance`` is that probability, alpha.
    """
    model, parts, problem = bounds.model, bounds.parts, bounds.problem
    rows = np.arange(problem.rows)
    nlp = bounds.nlp[rows, problem.labels()]
    distance = parts.distance[rows, problem.labels()]
    if model.form_b:
        distance = np.maximum(distance, parts.log_sum_exp[:, 0])
    one_sided = log_sum_error(parts, model, height=0.0)[:, 0] + model.eta
    partial_sums = np.cumsum(-np.sort(-parts.p, axis=1), axis=1)[:, 1:]
    scatter = (model.u_a**2) * (partial_sums**2).sum(axis=1) / (1 - model.u_a * problem.classes)
    scatter = scatter + model.u_i**2 * (distance**2 + nlp**2) + model.u_o**2 * nlp**2
    return float(one_sided.mean() + math.sqrt(2 * math.log(2 / chance) * scatter.sum()) / problem.rows)
