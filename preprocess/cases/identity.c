#include "identity.h"

#include "cmus/memory.h"

char *cmus_identity_patient(cmus_identity *identity, const char *patient_id) {
    (void)identity;
    return cmus_copy_string(patient_id);
}

char *cmus_identity_case(cmus_identity *identity, const char *case_id) {
    (void)identity;
    return cmus_copy_string(case_id);
}

char *cmus_identity_path(cmus_identity *identity, const char *path) {
    (void)identity;
    return cmus_copy_string(path);
}

char *cmus_identity_source(cmus_identity *identity, const char *source, const char *case_id, cmus_image_kind kind,
                           int number) {
    (void)identity;
    (void)case_id;
    (void)kind;
    (void)number;
    return cmus_copy_string(source);
}
