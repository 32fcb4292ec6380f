// SPDX-License-Identifier: Apache-2.0
/* From what the registry holds to posteriors and the state of the answer. */

#include "microstamp/exam.h"

#include <math.h>
#include <stdlib.h>

/* What an answer needs before it says so. */
#define INSUFFICIENT_CHARACTERS 3.0
#define NO_MATCH_PROBABILITY 0.9
#define IDENTIFIED_POSTERIOR 0.99
#define IDENTIFIED_RATIO 1e7

/* Likelihoods that differ by rounding only count as equal. */
#define SAME (1.0 - 1e-9)

/* L(not registered): half of the guns outside of the registry bear a valid code of another issue
 * (mean over valid words: Z/29^6), half any eight characters (mean over all 29^8 strings). */
static double likelihood_not_registered(const struct microstamp_words *words)
{
    return 0.5 * words->z / MICROSTAMP_R29_WORDS + 0.5 * words->random_mean;
}

/* Expected registered codes that fit at least as well by chance: N/29^6 of all valid codes are
 * registered. Where codes that fit as well may be outside of words, there are at most left divided
 * by the likelihood; counting that many never understates. */
static double chance_matches(const struct microstamp_words *words, size_t best, double registered)
{
    double limit = words->word[best].likelihood * SAME, count = 0.0;

    for (size_t i = 0; i < words->count; i++) {
        if (words->word[i].likelihood >= limit)
            count += 1.0;
    }
    if (limit < words->word[words->best_count - 1].likelihood)
        count += floor(words->left / limit);
    return registered * count / MICROSTAMP_R29_WORDS;
}

static int compare_ranked(const void *a, const void *b)
{
    const struct microstamp_ranked_hit *x = a, *y = b;

    if (x->likelihood != y->likelihood)
        return x->likelihood > y->likelihood ? -1 : 1;
    return x->hit < y->hit ? -1 : x->hit > y->hit;
}

static double characters(double ratio)
{
    return log(ratio) / log(SIZE);
}

enum microstamp_state microstamp_state_decide(const struct microstamp_ranking *ranking,
                                              bool any_near, double best_posterior)
{
    if (fmax(ranking->reading_characters, ranking->effective_characters) < INSUFFICIENT_CHARACTERS)
        return MICROSTAMP_INSUFFICIENT;
    if (ranking->not_registered >= NO_MATCH_PROBABILITY && !any_near)
        return MICROSTAMP_NO_MATCH;
    if (best_posterior >= IDENTIFIED_POSTERIOR && ranking->likelihood_ratio >= IDENTIFIED_RATIO)
        return MICROSTAMP_IDENTIFIED;
    return MICROSTAMP_CANDIDATES;
}

/* Bayes: each registered firearm has the prior (1 - pi0) / N, not being registered pi0. Codes that
 * were not looked up share what is left of Z: left * N/29^6 are expected to be registered, each
 * with that prior, so (1 - pi0) * left / 29^6, whatever N. */
void microstamp_rank(const struct microstamp_words *words, const struct microstamp_hit *hits,
                     size_t hit_count, double registered, double pi0,
                     struct microstamp_ranked_hit *ret_ranked,
                     struct microstamp_ranking *ret_ranking)
{
    const double n = fmax(registered, (double)hit_count);
    const double prior = n > 0.0 ? (1.0 - pi0) / n : 0.0;
    const double nobody = likelihood_not_registered(words);
    double unlisted = n > 0.0 ? (1.0 - pi0) * words->left / MICROSTAMP_R29_WORDS : 0.0;
    double all = pi0 * nobody + unlisted, best = words->word[0].likelihood;
    struct microstamp_ranking ranking;
    bool any_near = false;

    for (size_t i = 0; i < hit_count; i++) {
        const struct microstamp_word *word = &words->word[hits[i].word];

        ret_ranked[i].hit = i;
        ret_ranked[i].likelihood = word->likelihood * hits[i].factor;
        all += prior * ret_ranked[i].likelihood;
        any_near = any_near || word->near;
    }
    for (size_t i = 0; i < hit_count; i++)
        ret_ranked[i].posterior = prior * ret_ranked[i].likelihood / all;
    qsort(ret_ranked, hit_count, sizeof(*ret_ranked), compare_ranked);

    ranking.not_registered = pi0 * nobody / all;
    ranking.unlisted = unlisted / all;
    ranking.reading_characters = characters(best / nobody);
    if (hit_count > 0)
        best = ret_ranked[0].likelihood;
    ranking.likelihood_ratio = best / nobody;
    ranking.effective_characters = characters(ranking.likelihood_ratio);
    ranking.expected_chance_matches =
        chance_matches(words, hit_count > 0 ? hits[ret_ranked[0].hit].word : 0, n);
    ranking.state =
        microstamp_state_decide(&ranking, any_near, hit_count > 0 ? ret_ranked[0].posterior : 0.0);
    *ret_ranking = ranking;
}

const char *microstamp_state_name(enum microstamp_state state)
{
    switch (state) {
    case MICROSTAMP_IDENTIFIED:
        return "identified";
    case MICROSTAMP_CANDIDATES:
        return "candidates";
    case MICROSTAMP_NO_MATCH:
        return "no_match";
    case MICROSTAMP_INSUFFICIENT:
        break;
    }
    return "insufficient";
}
