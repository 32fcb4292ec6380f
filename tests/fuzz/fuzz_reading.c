// SPDX-License-Identifier: Apache-2.0
/* Readings and codes as text: nothing crashes, failures point into the text, and what was accepted
 * goes on into the search, whose results keep their promises. */

#include "microstamp/words.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct microstamp_matrix *matrix;
static struct microstamp_words words;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_error(const struct microstamp_error *err, size_t size)
{
    size_t length = strnlen(err->text, sizeof(err->text));

    require(err->offset <= size);
    require(length > 0 && length < sizeof(err->text));
    for (size_t i = 0; i < length; i++)
        require(err->text[i] >= ' ' && err->text[i] <= '~');
}

static void check_code(const char *text, size_t size)
{
    struct microstamp_code code, again;
    struct microstamp_error err = {0};
    char canonical[9], written[10];

    if (microstamp_r29_parse(text, size, &code, &err) != MICROSTAMP_OK) {
        check_error(&err, size);
        return;
    }
    microstamp_r29_canonical(&code, canonical);
    microstamp_r29_format(&code, written);
    require(microstamp_r29_parse(canonical, 8, &again, NULL) == MICROSTAMP_OK);
    require(memcmp(&code, &again, sizeof(code)) == 0);
    require(microstamp_r29_parse(written, 9, &again, NULL) == MICROSTAMP_OK);
    require(memcmp(&code, &again, sizeof(code)) == 0);
}

static void check_search(const struct microstamp_reading *reading)
{
    struct microstamp_evidence evidence;
    struct microstamp_hit hit = {0, 1.0};
    struct microstamp_ranked_hit ranked;
    struct microstamp_ranking ranking;
    char agreement[9];

    microstamp_evidence_init(matrix, reading, &evidence);
    require(microstamp_words_find(&evidence, 64, &words) == MICROSTAMP_OK);
    require(words.best_count >= 1 && words.best_count <= 64);
    require(words.count <= words.best_count + MICROSTAMP_WORDS_NEAR_MAX);
    require(words.left >= 0.0 && words.left < words.z);
    for (size_t i = 0; i < words.count; i++)
        require(microstamp_r29_is_valid(&words.word[i].code));
    microstamp_rank(&words, &hit, 1, 1000.0, 0.5, &ranked, &ranking);
    require(ranked.posterior > 0.0 && ranked.posterior < 1.0);
    require(ranking.not_registered > 0.0 && ranking.not_registered < 1.0);
    microstamp_agreement(&evidence, &words.word[0].code, agreement);
    require(strspn(agreement, "=.~x") == 8 && agreement[8] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct microstamp_reading reading;
    struct microstamp_error err = {0};
    /* A copy of exactly that size, without a NUL, so that reading past the end is seen. */
    char *text = malloc(size == 0 ? 1 : size);

    require(text != NULL);
    if (matrix == NULL)
        require(microstamp_matrix_make_default(&matrix) == MICROSTAMP_OK);
    memcpy(text, data, size);
    check_code(text, size);
    if (microstamp_reading_parse(text, size, &reading, &err) == MICROSTAMP_OK)
        check_search(&reading);
    else
        check_error(&err, size);
    free(text);
    return 0;
}
