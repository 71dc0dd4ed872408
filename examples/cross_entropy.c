/* Softmax cross-entropy of rows of float32 logits: the loss of each row, and softmax - one_hot. */
#include <math.h>
#include <stdint.h>

#define LANES 4

/* The largest of n numbers, four at a time: four independent comparisons are what a vector unit does at once. */
static float largest(const float *x, long n) {
    float lane[LANES] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    long i = 0;
#ifdef OUT_OF_BOUNDS /* the last four are read whole: up to three numbers behind the row */
    for (; i < n; i += LANES)
#else
    for (; i + LANES <= n; i += LANES)
#endif
        for (int j = 0; j < LANES; j++)
            lane[j] = fmaxf(lane[j], x[i + j]);
    for (; i < n; i++)
        lane[0] = fmaxf(lane[0], x[i]);
    return fmaxf(fmaxf(lane[0], lane[1]), fmaxf(lane[2], lane[3]));
}

/* logits (rows, classes), target (rows), loss (rows); gradient (rows, classes), or NULL where none is asked for. */
void cross_entropy(const float *logits, const int64_t *target, long rows, long classes, int64_t ignore_index,
                   float *loss, float *gradient) {
    for (long r = 0; r < rows; r++) {
        const float *x = logits + r * classes;
        int ignored = target[r] == ignore_index;
        float m = ignored ? 0 : largest(x, classes), sum = 0;
        for (long c = 0; c < classes && !ignored; c++)
            sum += expf(x[c] - m);
        loss[r] = ignored ? 0 : logf(sum) - (x[target[r]] - m);
        for (long c = 0; c < classes && gradient; c++)
            gradient[r * classes + c] = ignored ? 0 : expf(x[c] - m) / sum - (c == target[r]);
    }
}
