/* A case list as bytes, from one rank to the others. */
#ifndef CMUS_LIST_TEXT_H
#define CMUS_LIST_TEXT_H

#include "case_list.h"
#include "cmus/communicator.h"

/* Collective. Every rank gets the list of rank 0. What only rank 0 needs (why a case is rejected, where it is) stays
 * there. */
void cmus_case_list_broadcast(const cmus_communicator *communicator, cmus_case_list *list);

/* Collective. Every rank drops the cases that rank 0 rejects. */
void cmus_case_list_drop_everywhere(const cmus_communicator *communicator, cmus_case_list *list);

#endif
