// SPDX-License-Identifier: Apache-2.0
#include "server/checker.h"

#include <pthread.h>
#include <stdlib.h>

struct checker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct checker_entry *first;
    struct checker_entry **end;
    bool stopping;
};

static void *run(void *argument)
{
    struct checker *checker = argument;
    (void)pthread_mutex_lock(&checker->lock);
    for (;;) {
        struct checker_entry *entry = checker->first;
        if (entry == NULL && checker->stopping)
            break;
        if (entry == NULL) {
            (void)pthread_cond_wait(&checker->filled, &checker->lock);
            continue;
        }
        checker->first = entry->next;
        if (checker->first == NULL)
            checker->end = &checker->first;
        (void)pthread_mutex_unlock(&checker->lock);
        entry->check(entry);
        (void)pthread_mutex_lock(&checker->lock);
    }
    (void)pthread_mutex_unlock(&checker->lock);
    return NULL;
}

enum ct_status checker_start(struct checker **ret)
{
    struct checker *checker = calloc(1, sizeof *checker);
    if (checker == NULL)
        return CT_NO_MEMORY;
    checker->end = &checker->first;
    (void)pthread_mutex_init(&checker->lock, NULL);
    (void)pthread_cond_init(&checker->filled, NULL);
    if (pthread_create(&checker->thread, NULL, run, checker) != 0) {
        (void)pthread_cond_destroy(&checker->filled);
        (void)pthread_mutex_destroy(&checker->lock);
        free(checker);
        return CT_IO;
    }
    *ret = checker;
    return CT_OK;
}

bool checker_submit(struct checker *checker, struct checker_entry *entry)
{
    entry->next = NULL;
    (void)pthread_mutex_lock(&checker->lock);
    bool accepted = !checker->stopping;
    if (accepted) {
        *checker->end = entry;
        checker->end = &entry->next;
        (void)pthread_cond_signal(&checker->filled);
    }
    (void)pthread_mutex_unlock(&checker->lock);
    return accepted;
}

void checker_stop(struct checker *checker)
{
    if (checker == NULL)
        return;
    (void)pthread_mutex_lock(&checker->lock);
    checker->stopping = true;
    (void)pthread_cond_signal(&checker->filled);
    (void)pthread_mutex_unlock(&checker->lock);
    (void)pthread_join(checker->thread, NULL);
}

void checker_free(struct checker *checker)
{
    if (checker == NULL)
        return;
    (void)pthread_cond_destroy(&checker->filled);
    (void)pthread_mutex_destroy(&checker->lock);
    free(checker);
}
