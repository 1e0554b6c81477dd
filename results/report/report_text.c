#include "report/report_text.h"

#include <math.h>
#include <string.h>

#include "cmus/memory.h"

char *report_percent(double value) {
    return isnan(value) ? cmus_copy_string("undefined") : cmus_format_string("%.2f", 100 * value);
}

char *report_percent_spread(double mean, double deviation) {
    if (isnan(mean) || isnan(deviation))
        return report_percent(mean);
    return cmus_format_string("%.2f ± %.2f", 100 * mean, 100 * deviation);
}
