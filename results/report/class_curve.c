#include "report/class_curve.h"

#include "cmus/memory.h"

void report_class_curve_add(report_class_curve *curve, double x, double y) {
    size_t other = curve->capacity; /* both grow alike */
    curve->x = cmus_grow(curve->x, &other, curve->points + 1, sizeof(double));
    curve->y = cmus_grow(curve->y, &curve->capacity, curve->points + 1, sizeof(double));
    curve->x[curve->points] = x;
    curve->y[curve->points++] = y;
}

void report_class_curve_free(report_class_curve *curve) {
    cmus_free(curve->x);
    cmus_free(curve->y);
    *curve = (report_class_curve){0};
}
