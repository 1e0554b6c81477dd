#include "bias_table.h"

#include <math.h>
#include <stddef.h>

#include "cmus/memory.h"

enum { TAPS = 4, LARGEST_WINDOW = 1024 };

int cmus_bias_side(int64_t rows) {
    for (int64_t side = 1; side < 2 * LARGEST_WINDOW && side * side <= rows; side += 2)
        if (side * side == rows)
            return (int)side;
    return 0;
}

/* Which elements of a line make an element of the resized one. */
typedef struct mixture {
    int places[TAPS];
    double factors[TAPS];
} mixture;

/* Keys' kernel at a distance of 0 to 2. */
static double kernel(double x) {
    const double a = -0.75;
    return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

static mixture *mixtures(int from_side, int to_side) {
    mixture *all = cmus_allocate((size_t)to_side, sizeof *all);
    for (int i = 0; i < to_side; i++) {
        double at = (i + 0.5) * from_side / to_side - 0.5, first = floor(at);
        for (int k = 0; k < TAPS; k++) {
            int place = (int)first - 1 + k;
            all[i].places[k] = place < 0 ? 0 : place >= from_side ? from_side - 1 : place;
            all[i].factors[k] = kernel(fabs(at - first + 1 - k));
        }
    }
    return all;
}

void cmus_bias_resize(const float *from, int from_side, float *to, int to_side, int heads) {
    mixture *all = mixtures(from_side, to_side);
    for (int i = 0; i < to_side; i++)
        for (int j = 0; j < to_side; j++)
            for (int h = 0; h < heads; h++) {
                double sum = 0;
                for (int y = 0; y < TAPS; y++) {
                    double line = 0;
                    for (int x = 0; x < TAPS; x++) {
                        size_t row = (size_t)all[i].places[y] * (size_t)from_side + (size_t)all[j].places[x];
                        line += all[j].factors[x] * (double)from[row * (size_t)heads + (size_t)h];
                    }
                    sum += all[i].factors[y] * line;
                }
                to[((size_t)i * (size_t)to_side + (size_t)j) * (size_t)heads + (size_t)h] = (float)sum;
            }
    cmus_free(all);
}
