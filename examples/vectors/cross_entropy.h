/* One call on float32: logits [n][classes][inner]; a row is a pair of n and inner. */
#include <stdint.h>

enum reduction { NONE, SUM, MEAN };

struct call {
    const float *logits;
    long n, classes, inner;
    const int64_t *labels; /* [n][inner], or NULL where there are ... */
    const float *shares;   /* ... probabilities, [n][classes][inner] */
    const float *weight;   /* [classes], or NULL */
    const float *cotangent; /* [n][inner] for NONE, else one number */
    double smoothing;
    int64_t ignore_index; /* meant for labels; INT64_MIN where there is none */
    enum reduction reduction;
};

/* loss [n][inner] for NONE, else one number; gradients as the logits, that of the shares only where there are any */
void cross_entropy(const struct call *c, float *loss, float *grad_logits, float *grad_shares);
