// SPDX-License-Identifier: Apache-2.0
#ifndef API_VOCABULARY_H
#define API_VOCABULARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Vocabularies as the keeper holds them: a JSON object from each word and alias, folded, to the
 * word that the registry writes. Threads: any; nothing is changed. */

/* Letters, digits, dots and ampersands of a word in lower case, so that ".40 S&W" and ".40 s & w"
 * are one. Writes at most room bytes with the NUL. */
void api_fold_word(const char *word, char *ret_text, size_t room);

/* The registry's word for one as written, or NULL. Owner: the vocabulary. */
const char *api_vocabulary_word(const json_t *vocabulary, const char *written);

/* Whether two words mean the same, also when the vocabulary has neither. */
bool api_vocabulary_same(const json_t *vocabulary, const char *a, const char *b);

#endif
