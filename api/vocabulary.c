// SPDX-License-Identifier: Apache-2.0
#include "api/vocabulary.h"

#include <string.h>

#define WORD_ROOM 128

void api_fold_word(const char *word, char *ret_text, size_t room)
{
    size_t length = 0;
    for (; *word != '\0' && length + 1 < room; word++) {
        char c = *word;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '&')
            ret_text[length++] = c;
    }
    ret_text[length] = '\0';
}

const char *api_vocabulary_word(const json_t *vocabulary, const char *written)
{
    char folded[WORD_ROOM];
    api_fold_word(written, folded, sizeof folded);
    return json_string_value(json_object_get(vocabulary, folded));
}

bool api_vocabulary_same(const json_t *vocabulary, const char *a, const char *b)
{
    char folded[2][WORD_ROOM];
    const char *word[2] = {api_vocabulary_word(vocabulary, a), api_vocabulary_word(vocabulary, b)};
    if (strcmp(a, b) == 0)
        return true;
    api_fold_word(word[0] == NULL ? a : word[0], folded[0], WORD_ROOM);
    api_fold_word(word[1] == NULL ? b : word[1], folded[1], WORD_ROOM);
    return strcmp(folded[0], folded[1]) == 0;
}
