/* Reads vectors that `xent vectors` has written, and checks cross_entropy() on them: check FOLDER/float32.jsonl
 *
 * No JSON parser, so as to be short: it searches for the keys, in the order and without the spaces in which they are
 * written. conformance/VECTORS.md has the format. Little-endian machines only. */
#include "cross_entropy.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *header, *data; /* of the safetensors file that is open */
static long shape[16], axes;

static int has(const char *line, const char *text) { return strstr(line, text) != NULL; }

static double number(const char *line, const char *key) { return atof(strstr(line, key) + strlen(key)); }

static void *checked(void *pointer)
{
    if (!pointer) {
        perror("check");
        exit(2);
    }
    return pointer;
}

static void read_file(const char *path)
{
    uint64_t length;
    FILE *file = checked(fopen(path, "rb"));
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    if (fread(&length, 1, 8, file) != 8)
        exit(2);
    free(header);
    header = checked(malloc(size)); /* the header, a zero, and the data at a multiple of 8 */
    data = header + (length / 8 + 1) * 8;
    if (fread(header, 1, length, file) != length || fread(data, 1, size - 8 - length, file) != size - 8 - length)
        exit(2);
    header[length] = 0;
    fclose(file);
}

/* The data of a tensor, its shape in `shape` and `axes`; NULL where there is none of that name. */
static const void *tensor(const char *id, const char *name)
{
    char key[128];
    snprintf(key, sizeof key, "\"%s/%s\":{", id, name);
    char *at = strstr(header, key);
    if (!at)
        return NULL;
    at = strstr(at, "\"shape\":[") + 9;
    for (axes = 0; *at != ']'; at += *at == ',')
        shape[axes++] = strtol(at, &at, 10);
    return data + strtol(strstr(at, "[") + 1, NULL, 10);
}

static int is_wrong(double got, double exact, double rest, double bound, int also)
{
    if (isinf(bound)) /* not judged */
        return 0;
    if (isnan(got))
        return !isnan(exact) && !(also & 2);
    if (isinf(got) && isfinite(exact))
        return !((also & 1) && (exact == 0 || (got > 0) == (exact > 0)));
    return !isfinite(exact) ? got != exact : !(fabs(exact - got + rest) <= bound);
}

/* Compares a result with the tensors of that name; returns how many elements are wrong. */
static long wrong(const char *id, const char *name, const float *got)
{
    char part[64];
    const void *found[4];
    const char *parts[] = {"also", "rest", "bound", "exact"};
    for (int p = 0; p < 4; p++) {
        snprintf(part, sizeof part, "%s.%s", name, parts[p]);
        found[p] = tensor(id, part);
    }
    const unsigned char *also = found[0];
    const double *rest = found[1], *bound = found[2], *exact = found[3];
    long count = 1, failed = 0;
    for (long a = 0; a < axes; a++)
        count *= shape[a];
    for (long i = 0; i < count; i++)
        if (is_wrong(got[i], exact[i], rest ? rest[i] : 0, bound[i], also ? also[i] : 0) && failed++ == 0)
            printf("%s: %s[%ld] is %.9g, expected %.9g within %.3g\n", id, name, i, got[i], exact[i], bound[i]);
    return failed;
}

int main(int count, char **arguments)
{
    if (count != 2)
        return fprintf(stderr, "usage: check FOLDER/float32.jsonl\n"), 2;
    static char line[1 << 16], open[256];
    long vectors = 0, failed = 0;
    FILE *lines = checked(fopen(arguments[1], "r"));
    while (fgets(line, sizeof line, lines)) {
        char id[64], file[128], path[4096];
        sscanf(strstr(line, "\"id\":"), "\"id\":\"%63[^\"]\",\"file\":\"%127[^\"]\"", id, file);
        if (strcmp(open, file) != 0) {
            const char *slash = strrchr(arguments[1], '/');
            int folder = slash ? (int)(slash - arguments[1]) + 1 : 0;
            snprintf(path, sizeof path, "%.*s%s", folder, arguments[1], file);
            read_file(path);
            strcpy(open, file);
        }
        struct call c = {.logits = tensor(id, "logits"), .n = 1, .inner = 1};
        c.classes = axes == 1 ? shape[0] : shape[1];
        if (axes > 1)
            c.n = shape[0];
        for (long a = 2; a < axes; a++)
            c.inner *= shape[a];
        int shares = has(line, "\"target\":\"probabilities\"");
        c.labels = shares ? NULL : tensor(id, "target");
        c.shares = shares ? tensor(id, "target") : NULL;
        c.weight = tensor(id, "weight");
        c.cotangent = tensor(id, "cotangent");
        c.smoothing = number(line, "\"label_smoothing\":");
        c.ignore_index = has(line, "\"ignore_index\":null")
                             ? INT64_MIN
                             : strtoll(strstr(line, "\"ignore_index\":") + 15, NULL, 10);
        c.reduction = has(line, "\"reduction\":\"none\"") ? NONE : has(line, "\"reduction\":\"sum\"") ? SUM : MEAN;
        long size = c.n * c.classes * c.inner;
        float *loss = checked(malloc(4 * (c.n * c.inner + 1)));
        float *gradient = checked(malloc(4 * size + 1)), *of_shares = checked(malloc(4 * size + 1));
        cross_entropy(&c, loss, gradient, of_shares);
        failed += wrong(id, "loss", loss) + wrong(id, "grad_logits", gradient) +
                          (shares ? wrong(id, "grad_target", of_shares) : 0) > 0;
        free(loss), free(gradient), free(of_shares);
        vectors++;
    }
    printf("%ld vectors, %ld failed\n", vectors, failed);
    return failed != 0;
}
