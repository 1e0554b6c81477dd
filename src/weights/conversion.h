/* What importing and exporting share: reading by the plan, and the file that is made. Not collective. */
#ifndef CMUS_CONVERSION_H
#define CMUS_CONVERSION_H

#include "cmus/weight_plan.h"
#include "cmus/weight_tools.h"

typedef struct cmus_conversion {
    cmus_weight_plan plan;
    float *weights; /* [parameters->size]; 0 where nothing was loaded */
} cmus_conversion;

/* Plans and reads. Free it with cmus_conversion_free(), also after a failure. As cmus_weights_import(). */
cmus_status cmus_conversion_read(cmus_state_dict *dict, const cmus_parameters *parameters, bool whole,
                                 cmus_conversion *conversion);
/* Writes what was loaded. IO; ARGUMENT if it would overwrite the file that is read. */
cmus_status cmus_conversion_write(const cmus_conversion *conversion, const cmus_state_dict *dict,
                                  const cmus_parameters *parameters, const cmus_weight_output *output);
void cmus_conversion_free(cmus_conversion *conversion);

#endif
