#include "describe.h"

#include <jansson.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#include "cmus/dataset.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/splits.h"

enum { BAR = 40 /* letters of the longest bar of the histogram */, BINS = 12 };

/* Columns that a text takes on a terminal: Chinese characters take two. */
static int columns_of(const char *text) {
    int columns = 0;
    mbstate_t state = {0};
    while (*text) {
        wchar_t character;
        size_t length = mbrtowc(&character, text, MB_CUR_MAX, &state);
        if (length == (size_t)-1 || length == (size_t)-2)
            return columns + (int)strlen(text);
        int width = wcwidth(character);
        columns += width > 0 ? width : 0;
        text += length;
    }
    return columns;
}

static void print_padded(const char *text, int columns) {
    printf("%s%*s", text, columns > columns_of(text) ? columns - columns_of(text) : 0, "");
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Patients among the cases of a label. */
static int count_patients(const cmus_dataset *dataset, int label) {
    int cases = cmus_dataset_case_count(dataset), count = 0, patients = 0;
    const char **ids = cmus_allocate((size_t)cases, sizeof *ids);
    for (int i = 0; i < cases; i++)
        if (cmus_dataset_case(dataset, i).label == label)
            ids[count++] = cmus_dataset_case(dataset, i).patient_id;
    if (count)
        qsort(ids, (size_t)count, sizeof *ids, compare_texts);
    for (int i = 0; i < count; i++)
        patients += i == 0 || strcmp(ids[i], ids[i - 1]) != 0;
    cmus_free(ids);
    return patients;
}

static void print_classes(const cmus_dataset *dataset) {
    int classes = cmus_dataset_class_count(dataset), width = (int)strlen("class");
    for (int c = 0; c < classes; c++) {
        int columns = columns_of(cmus_dataset_class_name(dataset, c));
        width = columns > width ? columns : width;
    }
    printf("\n%-*s %8s %8s %10s\n", width, "class", "patients", "cases", "TEM images");
    for (int c = 0; c < classes; c++) {
        int cases = 0;
        int64_t tem = 0;
        for (int i = 0; i < cmus_dataset_case_count(dataset); i++) {
            cmus_case_info one = cmus_dataset_case(dataset, i);
            cases += one.label == c;
            tem += one.label == c ? one.tem_count : 0;
        }
        print_padded(cmus_dataset_class_name(dataset, c), width);
        printf(" %8d %8d %10lld\n", count_patients(dataset, c), cases, (long long)tem);
    }
}

/* A bar for each bag size, or for ranges of them where there are more than BINS sizes. */
static void print_bags(const cmus_dataset *dataset) {
    int cases = cmus_dataset_case_count(dataset), smallest = INT32_MAX, largest = 0, counts[BINS] = {0}, most = 1;
    for (int i = 0; i < cases; i++) {
        int bag = cmus_dataset_case(dataset, i).tem_count;
        smallest = bag < smallest ? bag : smallest;
        largest = bag > largest ? bag : largest;
    }
    int width = (largest - smallest) / BINS + 1;
    for (int i = 0; i < cases; i++) {
        int *count = &counts[(cmus_dataset_case(dataset, i).tem_count - smallest) / width];
        most = ++*count > most ? *count : most;
    }
    printf("\nTEM images a case: %d to %d\n", smallest, largest);
    for (int bin = 0; bin <= (largest - smallest) / width; bin++) {
        int from = smallest + bin * width, to = from + width - 1;
        char *range = width == 1 ? cmus_format_string("%d", from) : cmus_format_string("%d-%d", from, to);
        int bar = (int)((int64_t)counts[bin] * BAR / most);
        printf("%11s %7d ", range, counts[bin]);
        for (int x = 0; x < (counts[bin] && !bar ? 1 : bar); x++)
            putchar('#');
        putchar('\n');
        cmus_free(range);
    }
}

/* "512-640-768" for [512, 640, 768]. */
static void print_range(const json_t *range) {
    json_int_t low = json_integer_value(json_array_get(range, 0)),
               middle = json_integer_value(json_array_get(range, 1)),
               high = json_integer_value(json_array_get(range, 2));
    char *text = low == high ? cmus_format_string("%lld", (long long)low)
                             : cmus_format_string("%lld-%lld-%lld", (long long)low, (long long)middle, (long long)high);
    printf("  %-14s", text);
    cmus_free(text);
}

/* The members of a JSON object whose numbers are not 0: "jpeg 40, png 8". */
static void print_counts(json_t *object) {
    const char *name;
    json_t *value;
    bool first = true;
    json_object_foreach(object, name, value) {
        if (json_integer_value(value) == 0)
            continue;
        printf("%s%s %lld", first ? "" : ", ", name, (long long)json_integer_value(value));
        first = false;
    }
}

static void print_statistics(const char *text) {
    static const char *const kinds[] = {"om", "im", "tem"}, *const names[] = {"OM", "IM", "TEM"};
    json_t *statistics = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_object(statistics)) {
        printf("\nImage files: not recorded by the version that packed them\n");
        json_decref(statistics);
        return;
    }
    printf("\nImage files (smallest-median-largest)\n     %7s  %-14s  %-14s  %s\n", "files", "width", "height",
           "types; bits a sample; gray");
    for (int k = 0; k < 3; k++) {
        json_t *one = json_object_get(statistics, kinds[k]);
        if (!one)
            continue;
        printf("%-4s %7lld", names[k], (long long)json_integer_value(json_object_get(one, "images")));
        print_range(json_object_get(one, "width"));
        print_range(json_object_get(one, "height"));
        printf("  ");
        print_counts(json_object_get(one, "types"));
        printf("; ");
        json_t *bits = json_object_get(one, "bits");
        if (json_object_size(bits) == 1)
            printf("%s", json_object_iter_key(json_object_iter(bits)));
        else
            print_counts(bits);
        printf("; %lld\n", (long long)json_integer_value(json_object_get(one, "gray")));
    }
    json_decref(statistics);
}

static void print_options(const char *text) {
    json_t *options = json_loads(text, 0, NULL), *value;
    const char *name;
    if (json_object_size(options))
        printf("\nHow they were packed\n");
    json_object_foreach(options, name, value) {
        char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        printf("  %-13s %s\n", name, shown ? shown : "");
        free(shown);
    }
    json_decref(options);
}

static void print_shards(const char *folder, const cmus_dataset *dataset) {
    int count = cmus_dataset_shard_count(dataset);
    int64_t bytes = 0;
    for (int i = 0; i < count; i++) {
        char *path = cmus_path_join(folder, cmus_dataset_shard(dataset, i)->file);
        struct stat info;
        bytes += stat(path, &info) == 0 ? (int64_t)info.st_size : 0;
        cmus_free(path);
    }
    printf("\n%d shard%s, %.1f MiB; hash of the data set %s\n", count, count == 1 ? "" : "s", (double)bytes / (1 << 20),
           cmus_dataset_hash(dataset));
}

static void print_folds(const char *folder, const cmus_dataset *dataset) {
    char *path = cmus_path_join(folder, "splits.csv");
    cmus_splits splits;
    if (!cmus_file_exists(path))
        printf("No folds yet: cmus-split %s\n", folder);
    else if (cmus_splits_read(path, dataset, &splits, NULL) != CMUS_OK)
        printf("splits.csv can't be used: %s\n", cmus_last_error());
    else {
        int held = 0;
        for (int i = 0; i < splits.cases; i++)
            held += splits.fold[i] == CMUS_FOLD_HOLDOUT;
        printf("splits.csv: %d folds, %d repeat%s, %d cases held out\n", splits.folds, splits.repeats,
               splits.repeats == 1 ? "" : "s", held);
        cmus_splits_free(&splits);
    }
    cmus_free(path);
}

cmus_status cmus_describe_dataset(const char *folder) {
    cmus_dataset *dataset;
    cmus_dataset_index index;
    char sha256[CMUS_SHA256_TEXT];
    CMUS_TRY(cmus_dataset_open(folder, &dataset));
    cmus_status status = cmus_dataset_index_read(folder, &index, sha256);
    if (status == CMUS_OK) {
        setlocale(LC_CTYPE, "C.UTF-8"); /* for the widths of characters */
        printf("%s: %d cases of %d patients, %lld images of %d x %d pixels, packed by cmus-pack %s\n", folder,
               index.cases, index.patients, (long long)index.images, index.image_size, index.image_size,
               index.tool_version);
        print_classes(dataset);
        if (cmus_dataset_has(dataset, CMUS_IMAGE_TEM))
            print_bags(dataset);
        print_statistics(index.statistics);
        print_options(index.options);
        print_shards(folder, dataset);
        print_folds(folder, dataset);
        cmus_dataset_index_free(&index);
    }
    cmus_dataset_close(dataset);
    return status;
}
