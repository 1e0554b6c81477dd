/* From what each network says to what all of them say. */
#include <math.h>

#include "cmus/memory.h"
#include "predict_internal.h"

static void average_head(cmus_case_prediction *prediction, int head, int members, int classes) {
    for (int c = 0; c < classes; c++) {
        double sum = 0, squares = 0;
        for (int m = 0; m < members; m++)
            sum += prediction->each[m].probabilities[head][c];
        double mean = sum / members;
        for (int m = 0; m < members; m++) {
            double off = prediction->each[m].probabilities[head][c] - mean;
            squares += off * off;
        }
        prediction->probabilities[head][c] = mean;
        prediction->spread[head][c] = members > 1 ? sqrt(squares / (members - 1)) : 0;
    }
}

/* Weights and distances are averaged; an image counts as kept if at least half of the networks kept it. */
static void average_bag(cmus_case_prediction *prediction, int members) {
    prediction->mean_distance = 0;
    for (int m = 0; m < members; m++)
        prediction->mean_distance += prediction->each[m].mean_distance / members;
    for (int i = 0; i < prediction->tem_count; i++) {
        double weight = 0, distance = 0;
        int kept = 0;
        for (int m = 0; m < members; m++) {
            weight += (double)prediction->each[m].tem_weight[i];
            distance += (double)prediction->each[m].tem_distance[i];
            kept += prediction->each[m].tem_kept[i];
        }
        prediction->tem_weight[i] = (float)(weight / members);
        prediction->tem_distance[i] = (float)(distance / members);
        prediction->tem_kept[i] = 2 * kept >= members;
    }
}

/* Mean probability of a class: of the fusion, or of all known heads together where it is not known. */
static double confidence(const cmus_case_prediction *prediction, int class_number) {
    if (prediction->known[CMUS_HEAD_FUSION])
        return prediction->probabilities[CMUS_HEAD_FUSION][class_number];
    double sum = 0;
    int heads = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        sum += prediction->known[m] ? prediction->probabilities[m][class_number] : 0;
        heads += prediction->known[m];
    }
    return sum / heads;
}

double cmus_prediction_confidence(const cmus_case_prediction *prediction) {
    return confidence(prediction, prediction->predicted);
}

/* The first class with the largest probability. */
static int predicted_class(const cmus_case_prediction *prediction, int classes) {
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (confidence(prediction, c) > confidence(prediction, best))
            best = c;
    return best;
}

void cmus_prediction_average(cmus_case_prediction *prediction, int members, int classes) {
    for (int head = 0; head < CMUS_HEADS; head++)
        average_head(prediction, head, members, classes);
    average_bag(prediction, members);
    prediction->predicted = predicted_class(prediction, classes);
}

void cmus_case_prediction_free(cmus_case_prediction *prediction, int members) {
    for (int m = 0; prediction->each && m < members; m++) {
        cmus_free(prediction->each[m].tem_weight);
        cmus_free(prediction->each[m].tem_distance);
        cmus_free(prediction->each[m].tem_kept);
    }
    cmus_free(prediction->each);
    cmus_free(prediction->tem_weight);
    cmus_free(prediction->tem_distance);
    cmus_free(prediction->tem_kept);
    cmus_free(prediction->failed);
    *prediction = (cmus_case_prediction){0};
}
