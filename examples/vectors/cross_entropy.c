/* Softmax cross-entropy with all options and gradients, in double inside: small enough to read, not made for speed. */
#include "cross_entropy.h"
#include <math.h>

void cross_entropy(const struct call *c, float *loss, float *grad_logits, float *grad_shares)
{
    double total = 0, divisor = 0, eps = c->smoothing;
    for (long r = 0; r < c->n * c->inner; r++) {
        if (c->shares)
            divisor += 1;
        else if (c->labels[r] != c->ignore_index)
            divisor += c->weight ? c->weight[c->labels[r]] : 1;
    }
    for (long r = 0; r < c->n * c->inner; r++) {
        long first = r / c->inner * c->classes * c->inner + r % c->inner, top = 0;
        const float *x = c->logits + first;
#define AT(j) ((j) * c->inner)
        int ignored = c->labels && c->labels[r] == c->ignore_index;
        for (long j = 1; j < c->classes; j++)
            if (x[AT(j)] > x[AT(top)])
                top = j;
        double others = 0, row = 0, mass = 0;
        for (long j = 0; j < c->classes; j++)
            if (j != top)
                others += exp((double)x[AT(j)] - x[AT(top)]);
        double log_sum = log1p(others) + ((double)x[AT(top)] - x[AT(top)]); /* nan where the largest is infinite */
        double scale = c->cotangent[c->reduction == NONE ? r : 0] / (c->reduction == MEAN ? divisor : 1);
        /* q_j = w_j ((1 - eps) share_j + eps / C), and q_j -log p_j summed over the classes that count */
        for (int pass = 0; pass < 2; pass++)
            for (long j = 0; j < c->classes; j++) {
                double surprise = log_sum - ((double)x[AT(j)] - x[AT(top)]), w = c->weight ? c->weight[j] : 1;
                double share = c->shares ? c->shares[first + AT(j)] : j == c->labels[r];
                double q = w * ((1 - eps) * share + eps / c->classes);
                if (pass == 0 && !ignored && (c->shares || eps != 0 || j == c->labels[r])) {
                    row += q * surprise;
                    mass += q;
                }
                if (pass == 1)
                    grad_logits[first + AT(j)] = ignored ? 0 : scale * (exp(-surprise) * mass - q);
                if (pass == 1 && c->shares)
                    grad_shares[first + AT(j)] = scale * w * (1 - eps) * surprise;
            }
        total += row;
        if (c->reduction == NONE)
            loss[r] = row;
    }
    if (c->reduction != NONE)
        loss[0] = c->reduction == MEAN ? total / divisor : total;
}
