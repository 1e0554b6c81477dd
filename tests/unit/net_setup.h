/* A small network with two cases, for the tests of the whole network and of its parts. */
#ifndef CMUS_NET_SETUP_H
#define CMUS_NET_SETUP_H

#include "net_internal.h"
#include "twin_check.h"
#include "twins.h"

enum { NET_CASES = 2, NET_MOST_BAG = 6, NET_CHOICES = 5 };
extern const int net_bags[NET_CASES];

/* Sizes and choices of a run; zero means the usual. */
typedef struct net_choice {
    int image_size, deep;
    bool multihead, plain_logits, drawn;
    double distance_t;
    cmus_activations activations;
} net_choice;

typedef struct net_setup {
    cmus_net_config config;
    cmus_net *net;
    twin_values weights;
    cmus_case cases[NET_CASES];
    cmus_case_result results[NET_CASES];
    float tem_weight[NET_CASES][NET_MOST_BAG], tem_distance[NET_CASES][NET_MOST_BAG];
    bool tem_kept[NET_CASES][NET_MOST_BAG];
    double *maps[NET_CASES][CMUS_MODALITIES], fixed[NET_CASES][NET_MOST_BAG]; /* the twin's maps and instance weights */
    double twin_mean[NET_CASES];
    int twin_centre[NET_CASES], changing; /* the encoder whose weights are changed; CMUS_MODALITIES: none */
} net_setup;

extern const net_choice net_choices[NET_CHOICES];

cmus_net_config net_setup_config(const net_choice *c);
/* Free it with net_setup_drop(). */
void net_setup_make(net_setup *s, const net_choice *c);
/* Gradients are summed exactly. */
void net_setup_make_exact(net_setup *s, const net_choice *c);
void net_setup_drop(net_setup *s);
/* The same network with memory for no more than `images` images at once. */
void net_setup_shrink(net_setup *s, int images);

/* Tensor by tensor by twin_near(), under the name `what`. */
bool net_setup_same_gradients(const char *what, net_setup *a, net_setup *b, double tolerance);
/* The groups that the cases will go through in; returns how many. */
int net_setup_plan_groups(const net_setup *s, cmus_group_plan plans[NET_CASES]);

#endif
