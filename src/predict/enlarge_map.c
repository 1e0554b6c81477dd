#include <math.h>

#include "cmus/explanation.h"

enum { TOKEN = 32 /* pixels of a side that a token of the last stage covers */ };

/* The two tokens next to a pixel's centre and the share of the second. */
typedef struct neighbours {
    int first, second;
    float share;
} neighbours;

static neighbours neighbours_of(int pixel, int side) {
    float at = ((float)pixel + 0.5f) / TOKEN - 0.5f;
    at = at < 0 ? 0 : at > (float)(side - 1) ? (float)(side - 1) : at;
    int first = (int)floorf(at);
    return (neighbours){first, first + 1 < side ? first + 1 : first, at - (float)first};
}

void cmus_enlarge_map(const float *map, int side, int size, float *pixels) {
    for (int y = 0; y < size; y++) {
        neighbours row = neighbours_of(y, side);
        for (int x = 0; x < size; x++) {
            neighbours column = neighbours_of(x, side);
            const float *above = map + row.first * side, *below = map + row.second * side;
            float top = above[column.first] + column.share * (above[column.second] - above[column.first]);
            float bottom = below[column.first] + column.share * (below[column.second] - below[column.first]);
            pixels[y * size + x] = top + row.share * (bottom - top);
        }
    }
}
