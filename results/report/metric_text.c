#include "report/metric_text.h"

#include <math.h>

#include "cmus/memory.h"

static int decimals(const report_metric_name *name) {
    return name->scale == REPORT_SCALE_PERCENT ? 2 : 4;
}

static double shown(const report_metric_name *name, double value) {
    return name->scale == REPORT_SCALE_PERCENT ? 100 * value : value;
}

char *report_metric_text(const report_metric_name *name, double value) {
    return isnan(value) ? cmus_copy_string("undefined")
                        : cmus_format_string("%.*f", decimals(name), shown(name, value));
}

char *report_metric_spread(const report_metric_name *name, double mean, double deviation) {
    if (isnan(mean) || isnan(deviation))
        return report_metric_text(name, mean);
    return cmus_format_string("%.*f ± %.*f", decimals(name), shown(name, mean), decimals(name), shown(name, deviation));
}

char *report_metric_interval(const report_metric_name *name, double value, double low, double high) {
    char *text = report_metric_text(name, value);
    if (isnan(value) || isnan(low) || isnan(high))
        return text;
    char *range = report_metric_range(name, low, high), *whole = cmus_format_string("%s %s", text, range);
    cmus_free(text);
    cmus_free(range);
    return whole;
}

char *report_metric_range(const report_metric_name *name, double low, double high) {
    if (isnan(low) || isnan(high))
        return cmus_copy_string("");
    int digits = decimals(name);
    return cmus_format_string("[%.*f, %.*f]", digits, shown(name, low), digits, shown(name, high));
}

char *report_metric_title(const report_metric_name *name) {
    return cmus_format_string("%s%s", name->title, name->scale == REPORT_SCALE_PERCENT ? ", %" : "");
}
