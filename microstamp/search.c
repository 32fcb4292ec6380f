// SPDX-License-Identifier: Apache-2.0
/* Exact best-first search for the most likely valid codes.
 *
 * Positions are taken in an order, the least certain two last: those follow from the first six. For
 * each depth k a table holds, per pair of check sums still missing, the greatest likelihood that
 * the positions from k on can reach (max-product dynamic programming). So the best completion of
 * any beginning is known exactly, and the words come out in order by splitting: a node stands for
 * all words with a given beginning whose next character ranks at or below a given one; when its
 * best word is taken, the rest of it falls apart into one node per later depth plus the node of the
 * next ranked character (E. L. Lawler, A procedure for computing the K best solutions, 1972). */

#include "microstamp/internal.h"

#include <stdlib.h>
#include <string.h>

#define CHOSEN MICROSTAMP_R29_RANDOM /* positions that a word chooses; the others follow */
#define LANES 32                     /* see sum.c */

typedef double table[SIZE][64];

/* The words that begin with symbol[0 .. depth], in search order, and best is the best of them; with
 * it wait those whose character at depth ranks lower. */
struct node {
    double best;
    uint8_t depth;
    uint8_t symbol[CHOSEN];
};

struct microstamp_search {
    table reach[CHOSEN + 1]; /* [k][missing s1][missing s0], k = 2 .. 6; written out twice */
    double reach_one[SIZE];  /* the same for k = 1, by the character at depth 0 */
    const struct microstamp_row *row[LENGTH]; /* by search order, as the next two */
    unsigned weight[LENGTH];
    unsigned position[LENGTH];
    struct node *heap;
    size_t count;
    size_t capacity;
};

/* What a beginning leaves to choose from at one depth. */
struct choice {
    double before;               /* likelihood of the beginning */
    unsigned missing0, missing1; /* check sums that the rest must have */
};

void microstamp_search_free(struct microstamp_search *search)
{
    if (search == NULL)
        return;
    free(search->heap);
    free(search);
}

/* Orders the positions by how many characters are possible there, fewest first. */
static void order_positions(struct microstamp_search *search,
                            const struct microstamp_evidence *evidence)
{
    for (unsigned i = 0; i < LENGTH; i++) {
        int size = __builtin_popcount(evidence->reading.set[i]);
        unsigned at = i;

        for (; at > 0; at--) {
            unsigned other = search->position[at - 1];

            if (__builtin_popcount(evidence->reading.set[other]) <= size)
                break;
            search->position[at] = other;
        }
        search->position[at] = i;
    }
    for (unsigned k = 0; k < LENGTH; k++) {
        search->row[k] = microstamp_evidence_row(evidence, search->position[k]);
        search->weight[k] = microstamp_r29_weight[search->position[k]];
    }
}

/* The last two characters follow from the sums that are missing. */
static void fill_last(struct microstamp_search *search)
{
    const double *p = search->row[CHOSEN]->p, *q = search->row[CHOSEN + 1]->p;

    for (unsigned x = 0; x < SIZE; x++) {
        for (unsigned y = 0; y < SIZE; y++) {
            unsigned s0 = (x + y) % SIZE;
            unsigned s1 = (x * search->weight[CHOSEN] + y * search->weight[CHOSEN + 1]) % SIZE;

            search->reach[CHOSEN][s1][s0] = search->reach[CHOSEN][s1][s0 + SIZE] = p[x] * q[y];
        }
    }
}

/* reach[k][s] = max over t of p_k(t) * reach[k+1][s - t's share]. */
static void fill_depth(struct microstamp_search *search, unsigned k)
{
    const struct microstamp_row *row = search->row[k];

    for (unsigned s1 = 0; s1 < SIZE; s1++) {
        double best[LANES] = {0.0};

        for (unsigned t = 0; t < SIZE; t++) {
            unsigned from = (s1 + SIZE * SIZE - t * search->weight[k]) % SIZE;
            const double *source = search->reach[k + 1][from] + SIZE - t;

            for (unsigned s0 = 0; s0 < LANES; s0++) {
                double x = row->p[t] * source[s0];

                best[s0] = x > best[s0] ? x : best[s0];
            }
        }
        memcpy(search->reach[k][s1], best, SIZE * sizeof(double));
        memcpy(search->reach[k][s1] + SIZE, best, SIZE * sizeof(double));
    }
}

static struct choice choice_after(const struct microstamp_search *search, struct choice at,
                                  unsigned depth, unsigned symbol)
{
    at.before *= search->row[depth]->p[symbol];
    at.missing0 = (at.missing0 + SIZE - symbol) % SIZE;
    at.missing1 = (at.missing1 + SIZE * SIZE - symbol * search->weight[depth]) % SIZE;
    return at;
}

/* The best likelihood of the positions from depth on, with symbol at depth. */
static double value_of(const struct microstamp_search *search, const struct choice *at,
                       unsigned depth, unsigned symbol)
{
    unsigned s0, s1;

    if (depth == 0)
        return search->row[0]->p[symbol] * search->reach_one[symbol];
    s0 = at->missing0 + SIZE - symbol;
    s1 = (at->missing1 + SIZE * SIZE - symbol * search->weight[depth]) % SIZE;
    return search->row[depth]->p[symbol] * search->reach[depth + 1][s1][s0];
}

/* The best character at depth, or the next below `after` (by value, then by symbol); -1 if none. */
static int best_symbol(const struct microstamp_search *search, const struct choice *at,
                       unsigned depth, int after, double *ret_value)
{
    double limit = after < 0 ? 0.0 : value_of(search, at, depth, (unsigned)after), best = -1.0;
    int found = -1;

    for (int t = 0; t < SIZE; t++) {
        double value = value_of(search, at, depth, (unsigned)t);

        if (after >= 0 && (value > limit || (value == limit && t <= after)))
            continue;
        if (value > best) {
            best = value;
            found = t;
        }
    }
    *ret_value = best;
    return found;
}

static void prepare(struct microstamp_search *search, const struct microstamp_evidence *evidence)
{
    order_positions(search, evidence);
    fill_last(search);
    for (unsigned k = CHOSEN - 1; k >= 2; k--)
        fill_depth(search, k);
    /* Depth 0 leaves only 29 states for depth 1; a whole table would be mostly unused. */
    for (unsigned t = 0; t < SIZE; t++) {
        struct choice start = {1.0, 0, 0}, at = choice_after(search, start, 0, t);

        (void)best_symbol(search, &at, 1, -1, &search->reach_one[t]);
    }
    search->count = 0;
}

static bool node_before(const struct node *a, const struct node *b)
{
    if (a->best != b->best)
        return a->best > b->best;
    return memcmp(a->symbol, b->symbol, sizeof(a->symbol)) < 0;
}

static enum microstamp_status heap_push(struct microstamp_search *search, const struct node *node)
{
    size_t at = search->count;

    if (at == search->capacity) {
        size_t capacity = search->capacity == 0 ? 256 : search->capacity * 2;
        struct node *heap = reallocarray(search->heap, capacity, sizeof(*heap));

        if (heap == NULL)
            return MICROSTAMP_NO_MEMORY;
        search->heap = heap;
        search->capacity = capacity;
    }
    search->count++;
    while (at > 0 && node_before(node, &search->heap[(at - 1) / 2])) {
        search->heap[at] = search->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    search->heap[at] = *node;
    return MICROSTAMP_OK;
}

static struct node heap_pop(struct microstamp_search *search)
{
    struct node top = search->heap[0], last = search->heap[--search->count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= search->count)
            break;
        if (child + 1 < search->count &&
            node_before(&search->heap[child + 1], &search->heap[child]))
            child++;
        if (!node_before(&search->heap[child], &last))
            break;
        search->heap[at] = search->heap[child];
        at = child;
    }
    if (search->count > 0)
        search->heap[at] = last;
    return top;
}

/* Puts the node of the character that ranks next below `after` at depth, if there is one. */
static enum microstamp_status push_next(struct microstamp_search *search, const struct choice *at,
                                        unsigned depth, int after, const uint8_t *beginning)
{
    struct node node = {.depth = (uint8_t)depth};
    double value;
    int symbol = best_symbol(search, at, depth, after, &value);

    if (symbol < 0)
        return MICROSTAMP_OK;
    memcpy(node.symbol, beginning, depth);
    node.symbol[depth] = (uint8_t)symbol;
    node.best = at->before * value;
    return heap_push(search, &node);
}

/* Takes a node's best word and splits the rest of the node. */
static enum microstamp_status take_word(struct microstamp_search *search, const struct node *node,
                                        struct microstamp_code *ret_code)
{
    struct choice at = {1.0, 0, 0};
    uint8_t symbol[CHOSEN];
    enum microstamp_status status;
    double value;

    memcpy(symbol, node->symbol, sizeof(symbol));
    for (unsigned depth = 0; depth < CHOSEN; depth++) {
        if (depth > node->depth)
            symbol[depth] = (uint8_t)best_symbol(search, &at, depth, -1, &value);
        if (depth >= node->depth) {
            status = push_next(search, &at, depth, symbol[depth], symbol);
            if (status != MICROSTAMP_OK)
                return status;
        }
        at = choice_after(search, at, depth, symbol[depth]);
    }
    for (unsigned depth = 0; depth < CHOSEN; depth++)
        ret_code->symbol[search->position[depth]] = symbol[depth];
    microstamp_r29_solve(ret_code, search->position[CHOSEN], search->position[CHOSEN + 1]);
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_search_open(struct microstamp_search **search,
                                              const struct microstamp_evidence *evidence)
{
    static const uint8_t nothing[CHOSEN] = {0};
    const struct choice start = {1.0, 0, 0};

    if (*search == NULL)
        *search = calloc(1, sizeof(**search));
    if (*search == NULL)
        return MICROSTAMP_NO_MEMORY;
    prepare(*search, evidence);
    return push_next(*search, &start, 0, -1, nothing);
}

double microstamp_search_peek(const struct microstamp_search *search)
{
    return search->count == 0 ? 0.0 : search->heap[0].best;
}

enum microstamp_status microstamp_search_next(struct microstamp_search *search,
                                              struct microstamp_code *ret_code)
{
    struct node node = heap_pop(search);

    return take_word(search, &node, ret_code);
}

enum microstamp_status microstamp_search_run(const struct microstamp_evidence *evidence, size_t max,
                                             struct microstamp_words *words)
{
    enum microstamp_status status = microstamp_search_open(&words->search, evidence);

    while (status == MICROSTAMP_OK && words->search->count > 0 && words->count < max) {
        struct microstamp_word *word;

        status = microstamp_words_reserve(words, 1);
        if (status != MICROSTAMP_OK)
            break;
        word = &words->word[words->count];
        word->near = false;
        status = microstamp_search_next(words->search, &word->code);
        if (status != MICROSTAMP_OK)
            break;
        word->likelihood = microstamp_evidence_likelihood(evidence, &word->code);
        words->count++;
        words->left -= word->likelihood;
        if (words->left < words->word[0].likelihood / 100.0) {
            words->complete = true;
            break;
        }
    }
    return status;
}
