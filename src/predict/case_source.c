#include <string.h>

#include "case_source_internal.h"
#include "cmus/memory.h"
#include "names.h"

const char cmus_case_needs_tem[] =
    "the network looks at OM and IM by questions that the TEM images ask, so that without these no head can speak";
const char cmus_case_may_lack[] = "--allow-missing predicts it by the remaining heads";

cmus_case_source *cmus_case_source_begin(const cmus_case_backend *backend, void *own, const char *name,
                                         const cmus_case_source_options *options) {
    cmus_case_source *source = cmus_allocate(1, sizeof *source);
    *source = (cmus_case_source){
        .backend = backend, .own = own, .name = cmus_copy_string(name), .image_size = options->image_size};
    return source;
}

void cmus_case_source_add(cmus_case_source *source, const cmus_case_facts *facts, int number) {
    source->entries = cmus_grow(source->entries, &source->capacity, source->count + 1, sizeof *source->entries);
    cmus_case_entry *entry = &source->entries[source->count++];
    *entry = (cmus_case_entry){.facts = *facts, .number = number};
    if (facts->class_name)
        entry->facts.class_name = entry->class_name = cmus_copy_string(facts->class_name);
}

cmus_status cmus_case_source_finish(cmus_case_source *source, const cmus_case_source_options *options,
                                    cmus_status status, cmus_case_source **result) {
    if (status == CMUS_OK && options->labels)
        status = cmus_case_labels_read(source, options->labels, options->quiet);
    if (status != CMUS_OK) {
        cmus_case_source_close(source);
        source = NULL;
    }
    *result = source;
    return status;
}

void cmus_case_source_close(cmus_case_source *source) {
    if (!source)
        return;
    for (size_t i = 0; i < source->count; i++)
        cmus_free(source->entries[i].class_name);
    for (size_t i = 0; i < source->class_count; i++)
        cmus_free(source->classes[i]);
    source->backend->close(source->own);
    cmus_free(source->entries);
    cmus_free(source->classes);
    cmus_free(source->rejected);
    cmus_free(source->name);
    cmus_free(source);
}

int cmus_case_source_count(const cmus_case_source *source) {
    return (int)source->count;
}

cmus_case_facts cmus_case_source_case(const cmus_case_source *source, int index) {
    return source->entries[index].facts;
}

int cmus_case_source_class_count(const cmus_case_source *source) {
    return (int)source->class_count;
}

const char *cmus_case_source_class(const cmus_case_source *source, int number) {
    return source->classes[number];
}

const char *cmus_case_source_dataset_hash(const cmus_case_source *source) {
    return source->dataset_hash;
}

char *cmus_case_source_image_name(cmus_case_source *source, int index, cmus_image_kind kind, int image) {
    char *name = source->backend->image_name(source->own, source->entries[index].number, kind, image);
    if (name)
        return name;
    const char *kind_name = cmus_image_kind_name(kind);
    return kind == CMUS_IMAGE_TEM ? cmus_format_string("%s %d", kind_name, image + 1) : cmus_copy_string(kind_name);
}

char *cmus_case_source_fingerprint(const cmus_case_source *source) {
    uint64_t key[2] = {0};
    for (size_t i = 0; i < source->count; i++) {
        const cmus_case_entry *entry = &source->entries[i];
        const cmus_case_facts *facts = &entry->facts;
        char *images = source->backend->identify(source->own, entry->number);
        char *text =
            cmus_format_string("%s\n%s\n%s%s\n%s", facts->case_id, facts->patient_id, facts->class_name ? "=" : "",
                               facts->class_name ? facts->class_name : "", images);
        key[1] = cmus_hash_bytes(text, strlen(text));
        key[0] = cmus_hash_bytes(key, sizeof key);
        cmus_free(text);
        cmus_free(images);
    }
    return cmus_format_string("%zu cases of %s, %016llx", source->count, source->name, (unsigned long long)key[0]);
}

cmus_status cmus_case_source_read(cmus_case_source *source, int index, int max_tem, uint8_t *om, uint8_t *im,
                                  uint8_t *tem) {
    const cmus_case_entry *entry = &source->entries[index];
    uint8_t *buffers[CMUS_IMAGE_KINDS] = {[CMUS_IMAGE_OM] = om, [CMUS_IMAGE_IM] = im, [CMUS_IMAGE_TEM] = tem};
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
        if (entry->facts.has[kind])
            continue;
        if (buffers[kind])
            memset(buffers[kind], 0, (size_t)source->image_size * (size_t)source->image_size * 3);
        buffers[kind] = NULL;
    }
    return source->backend->read(source->own, entry->number, max_tem, buffers);
}

size_t cmus_case_source_rejected(const cmus_case_source *source) {
    return source->rejected_count;
}

cmus_status cmus_case_source_write_rejected(const cmus_case_source *source, const char *path, const int *failed,
                                            const char *const *reasons, size_t failed_count) {
    cmus_case_list list = {.cases = cmus_allocate(source->rejected_count + failed_count, sizeof *list.cases)};
    char **why = cmus_allocate(failed_count, sizeof *why);
    for (size_t i = 0; i < source->rejected_count; i++)
        list.cases[list.case_count++] = source->rejected[i];
    for (size_t i = 0; i < failed_count; i++) {
        const cmus_case_facts *facts = &source->entries[failed[i]].facts;
        why[i] = cmus_name_escape(reasons[i]);
        list.cases[list.case_count++] =
            (cmus_source_case){.case_id = (char *)facts->case_id,
                               .patient_id = (char *)facts->patient_id,
                               .class_name = facts->class_name ? (char *)facts->class_name : (char *)"",
                               .rejected = why[i]};
    }
    cmus_status status = cmus_rejected_write(path, &list);
    cmus_names_free(why, failed_count);
    cmus_free(list.cases);
    return status;
}
