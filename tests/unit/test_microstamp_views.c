// SPDX-License-Identifier: Apache-2.0
/* Lines: how a part may have been held, the gear, several casings through one pin; and the words
 * that are found for them. Likelihoods are compared with the formulas as written down. */

#include "tests/unit/test_microstamp_support.h"

static struct microstamp_line line; /* used again and again, as by a lane */

static void fuse(const struct microstamp_matrix *matrix,
                 const struct microstamp_observation *observations, size_t count)
{
    const struct microstamp_observation *pointers[MICROSTAMP_MARKS_MAX];

    for (size_t i = 0; i < count; i++)
        pointers[i] = &observations[i];
    assert_int_equal(microstamp_line_fuse(matrix, pointers, count, &line), MICROSTAMP_OK);
}

static double of_text(enum microstamp_alphabet alphabet, const char *text)
{
    uint8_t symbols[MICROSTAMP_LENGTH_MAX];

    for (unsigned i = 0; i < line.length; i++)
        symbols[i] = (uint8_t)microstamp_symbol(alphabet, text[i]);
    return microstamp_line_likelihood(&line, symbols) * exp(line.log_scale);
}

/* ---- one casing, by hand ---- */

static void test_plain_is_one_view(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "4H7? 2[MN]9X");

    fuse(*state, &o, 1);
    assert_int_equal(line.count, 1);
    assert_true(line.weight[0] == 1.0 && line.log_scale == 0.0);
    assert_near(of_text(MICROSTAMP_R29, "4H7K2N9X"), pow(0.98, 6) * (0.98 + 0.008) / 2, 1e-13);
}

static void test_weights_by_hand(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "4H7?2?9X");
    double others = 0.1 / 27;

    assert_int_equal(microstamp_observation_weigh(&o, 3, "MN", (const double[]){0.6, 0.3}, 2, NULL),
                     MICROSTAMP_OK);
    fuse(*state, &o, 1);
    /* N is read as N with 0.98, as M with 0.008, as any other with 0.012 together. */
    assert_near(of_text(MICROSTAMP_R29, "4H7N2K9X"),
                pow(0.98, 6) * (0.6 * 0.008 + 0.3 * 0.98 + others * 0.012), 1e-13);
    /* Nothing listed and everything even are the same: 1 and 1/29 times what does not depend. */
    assert_near(of_text(MICROSTAMP_R29, "4H7N209X"), of_text(MICROSTAMP_R29, "4H7N2X9X"), 1e-14);
}

/* Turned by hand: 1 8 M 6 and 9 H X 0 are 0 X H 6 and 9 W 8 1. */
static void test_orientation(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "18M6 9HX0");
    char agreement[9];

    o.orientation_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 2);
    assert_near(of_text(MICROSTAMP_R29, "0XH69W81"), 0.5 * pow(0.98, 8), 1e-6);
    assert_near(of_text(MICROSTAMP_R29, "18M69HX0"), 0.5 * pow(0.98, 8), 1e-6);
    microstamp_line_agreement(&line, code_from("0XH69W8K").symbol, agreement);
    assert_string_equal(agreement, "=======x");
}

/* What cannot be turned is as likely any character: 1/29 for each, so that both ways compare. */
static void test_orientation_of_what_does_not_turn(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "4H[6A]? 1111");
    double upright = 0.0, mixed = 0.5 * (0.98 + 1.0 / 29) /* [6A] turned is half a 9 */;
    char agreement[9];

    for (unsigned i = 0; i < 2; i++) {
        o.orientation_unknown = i == 1;
        fuse(*state, &o, 1);
        if (i == 0)
            upright = of_text(MICROSTAMP_R29, "1111K9H7");
    }
    /* H between 9 and ?: reversed, positions are 1 1 1 1 ? [9..] H 4. */
    assert_near(of_text(MICROSTAMP_R29, "1111K9H7"),
                0.5 * pow(0.98, 5) * mixed / 29 + 0.5 * upright, 1e-12);
    microstamp_line_agreement(&line, code_from("1111K9H7").symbol, agreement);
    assert_string_equal(agreement, "====.==.");
}

static void test_rows(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "4H7K 2M9X");

    o.rows_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 2);
    assert_near(of_text(MICROSTAMP_R29, "2M9X4H7K"), 0.5 * pow(0.98, 8), 1e-9);
    assert_near(of_text(MICROSTAMP_R29, "4H7K2M9X"), 0.5 * pow(0.98, 8), 1e-9);
    o.orientation_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 4);
    /* Opaque codes have two rows of four only if they are eight long. */
    o = observation_from(MICROSTAMP_OPAQUE, "ABCDEF");
    o.rows_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 1);
}

/* Every position goes where microstamp_way_position() says, for all ways at once. */
static void test_ways(void **state)
{
    static const char *const held[] = {"0123456789", "9876543210"};
    struct microstamp_way way = {0, 0, 0};

    (void)state;
    for (unsigned turned = 0; turned < 2; turned++) {
        way.turned = (uint8_t)turned;
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(held[turned][i], '0' + (int)microstamp_way_position(way, 10, i));
    }
    way.swapped = 1;
    assert_int_equal(microstamp_way_position(way, 8, 0), 3);
    assert_int_equal(microstamp_way_position(way, 8, 5), 6);
    way.turned = 0;
    assert_int_equal(microstamp_way_position(way, 8, 0), 4);
    assert_int_equal(microstamp_way_position(way, 8, 5), 1);
}

static void test_gear_alone(void **state)
{
    struct microstamp_code code = code_from("4H7K2M9X");
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "????????");
    char gear[41];

    gear_of(&code, gear);
    gear[7] = '?';
    gear[8] = gear[8] == '1' ? '0' : '1';
    assert_int_equal(microstamp_observation_gear(&o, gear, 40, NULL), MICROSTAMP_OK);
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 1);
    assert_near(of_text(MICROSTAMP_R29, "4H7K2M9X"), pow(0.98, 38) * 0.02, 1e-12);
    o.gear_index_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 8);
    assert_near(of_text(MICROSTAMP_R29, "4H7K2M9X"), pow(0.98, 38) * 0.02 / 8, 1e-6);
    /* The sector at the top was sent as the third: then the code begins two sectors on. */
    assert_near(of_text(MICROSTAMP_R29, "9X4H7K2M"), pow(0.98, 38) * 0.02 / 8, 1e-6);
}

static void test_gear_and_characters(void **state)
{
    struct microstamp_code code = code_from("4H7K2M9X");
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "4H7? ???A");
    char gear[41];

    gear_of(&code, gear);
    assert_int_equal(microstamp_observation_gear(&o, gear, 40, NULL), MICROSTAMP_OK);
    fuse(*state, &o, 1);
    assert_near(of_text(MICROSTAMP_R29, "4H7K2M9X"),
                pow(0.98, 3) * 0.004 / 27 /* X read as A */ * pow(0.98, 40), 1e-12);
}

/* A gear in which nothing was seen adds nothing, whatever its rotation. */
static void test_gear_without_teeth(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "4H7K2M9X");

    assert_int_equal(microstamp_observation_gear(&o,
                                                 "????????????????????"
                                                 "????????????????????",
                                                 40, NULL),
                     MICROSTAMP_OK);
    o.gear_index_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 1);
    assert_near(of_text(MICROSTAMP_R29, "4H7K2M9X"), pow(0.98, 8), 1e-13);
}

/* ---- several casings ---- */

/* What one observation held one way says of position i if s is presented there: from the text, with
 * nothing but the matrix. -1: nothing. */
static double says(const struct microstamp_matrix *matrix, const struct microstamp_observation *o,
                   bool turned, unsigned i, unsigned s)
{
    static const char from[] = "018HNX69MW", to[] = "018HNX96WM";
    unsigned written = turned ? o->length - 1 - i : i, size = microstamp_alphabet_size(o->alphabet);
    const struct microstamp_position *position = &o->position[written];
    double sum = 0.0, teeth = 1.0;
    bool seen = false;

    for (unsigned k = 0; o->has_gear && k < 5; k++) {
        char tooth = o->gear[5 * i + k];

        seen = seen || tooth != '?';
        if (tooth != '?')
            teeth *= (tooth == '1') == ((s >> (4 - k) & 1u) != 0) ? 0.98 : 0.02;
    }
    if (!position->read)
        return seen ? teeth : -1.0;
    for (unsigned m = 0; m < size; m++) {
        double weight = position->weighed ? position->weight[m]
                        : (position->set >> m & 1u) != 0
                            ? 1.0 / (double)__builtin_popcountll(position->set)
                            : 0.0;
        const char *at = strchr(from, microstamp_character(o->alphabet, m));

        if (!turned)
            sum += weight * microstamp_matrix_probability(matrix, o->alphabet, s, m);
        else if (at != NULL)
            sum += weight * microstamp_matrix_probability(
                                matrix, o->alphabet, s,
                                (unsigned)microstamp_symbol(o->alphabet, to[at - from]));
        else
            sum += weight / size;
    }
    return sum * teeth;
}

/* Whether all that was written there cannot be turned: then it is a factor and not a speaker. */
static bool mute(const struct microstamp_observation *o, bool turned, unsigned i)
{
    const struct microstamp_position *position = &o->position[turned ? o->length - 1 - i : i];

    if (!turned || !position->read || o->has_gear)
        return false;
    for (unsigned m = 0; m < microstamp_alphabet_size(o->alphabet); m++) {
        bool listed = position->weighed ? position->weight[m] > 1e-12 : position->set >> m & 1u;

        if (listed && strchr("018HNX69MW", microstamp_character(o->alphabet, m)) != NULL)
            return false;
    }
    return true;
}

/* The formula of fuse.c, with turns as bits by observation. */
static double by_formula(const struct microstamp_matrix *matrix,
                         const struct microstamp_observation *o, size_t count, unsigned turns,
                         const uint8_t *code)
{
    const unsigned size = microstamp_alphabet_size(o[0].alphabet);
    double likelihood = 1.0;

    for (unsigned i = 0; i < o[0].length; i++) {
        double sum = 0.0, alone = 1.0;
        unsigned speakers = 0;

        for (size_t k = 0; k < count; k++) {
            bool turned = (turns >> k & 1u) != 0;
            double p = says(matrix, &o[k], turned, i, code[i]);

            if (mute(&o[k], turned, i)) {
                likelihood /= size;
            } else if (p >= 0.0) {
                speakers++;
                alone = p;
            }
        }
        for (unsigned s = 0; s < size; s++) {
            double others =
                1.0 - microstamp_matrix_probability(matrix, o[0].alphabet, code[i], code[i]);
            double product =
                s == code[i]
                    ? 0.99
                    : 0.01 * microstamp_matrix_probability(matrix, o[0].alphabet, code[i], s) /
                          others;

            for (size_t k = 0; k < count; k++) {
                bool turned = (turns >> k & 1u) != 0;
                double p = says(matrix, &o[k], turned, i, s);

                if (p >= 0.0 && !mute(&o[k], turned, i))
                    product *= p;
            }
            sum += product;
        }
        likelihood *= speakers == 0 ? 1.0 : speakers == 1 ? alone : sum;
    }
    return likelihood;
}

static struct microstamp_observation random_observation(uint64_t *random,
                                                        enum microstamp_alphabet alphabet,
                                                        unsigned length, const uint8_t *code,
                                                        bool gear)
{
    const unsigned size = microstamp_alphabet_size(alphabet);
    struct microstamp_observation o;
    char teeth[41];

    microstamp_observation_clear(alphabet, length, &o);
    for (unsigned i = 0; i < length; i++) {
        unsigned kind = random_below(random, 8);
        char characters[3] = {microstamp_character(alphabet, code[i]),
                              microstamp_character(alphabet, random_below(random, size)), '\0'};
        double weights[2] = {0.7, 0.1 + 0.2 * random_below(random, 2)};

        o.position[i].read = kind != 0;
        o.position[i].set = kind == 0 ? microstamp_all_symbols(alphabet) : UINT64_C(1) << code[i];
        if (kind == 1)
            o.position[i].set = UINT64_C(1) << random_below(random, size);
        else if (kind == 2)
            o.position[i].set |= UINT64_C(1) << random_below(random, size);
        else if (kind == 3)
            assert_int_equal(microstamp_observation_weigh(&o, i, characters, weights, 2, NULL),
                             MICROSTAMP_OK);
    }
    if (gear && random_below(random, 2) == 0) {
        struct microstamp_code eight;

        memcpy(eight.symbol, code, sizeof(eight.symbol));
        gear_of(&eight, teeth);
        for (unsigned k = 0; k < 40; k++) {
            if (random_below(random, 3) == 0)
                teeth[k] = random_below(random, 4) == 0 ? '1' : '?';
        }
        assert_int_equal(microstamp_observation_gear(&o, teeth, 40, NULL), MICROSTAMP_OK);
    }
    return o;
}

static void check_formula(const struct microstamp_matrix *matrix, enum microstamp_alphabet alphabet,
                          unsigned length, uint64_t *random)
{
    const unsigned size = microstamp_alphabet_size(alphabet);
    struct microstamp_observation o[4];
    uint8_t code[MICROSTAMP_LENGTH_MAX], other[MICROSTAMP_LENGTH_MAX];
    size_t count = 1 + random_below(random, 4);
    unsigned unknown = 0;

    for (unsigned i = 0; i < length; i++) {
        code[i] = (uint8_t)random_below(random, size);
        other[i] = random_below(random, 3) == 0 ? (uint8_t)random_below(random, size) : code[i];
    }
    for (size_t k = 0; k < count; k++) {
        o[k] = random_observation(random, alphabet, length, code, alphabet == MICROSTAMP_R29);
        o[k].orientation_unknown = random_below(random, 3) == 0;
        unknown |= o[k].orientation_unknown ? 1u << k : 0;
    }
    fuse(matrix, o, count);
    for (unsigned c = 0; c < 2; c++) {
        double expected = 0.0, found;

        for (unsigned turns = 0; turns < 1u << count; turns++) {
            if ((turns & ~unknown) == 0)
                expected += by_formula(matrix, o, count, turns, c == 0 ? code : other) /
                            (double)(1u << __builtin_popcount(unknown));
        }
        found = microstamp_line_likelihood(&line, c == 0 ? code : other) * exp(line.log_scale);
        assert_near(found, expected, 1e-11);
    }
}

static void test_fusion_by_formula(void **state)
{
    uint64_t random = 50;

    for (unsigned round = 0; round < 400; round++) {
        check_formula(*state, MICROSTAMP_R29, LENGTH, &random);
        check_formula(*state, MICROSTAMP_OPAQUE, 4 + random_below(&random, 9), &random);
    }
}

/* Five casings of one worn pin show the same wrong character. As independent they would rule the
 * right code out; through the pin, that costs little more than the pin's own failure. */
static void test_worn_pin(void **state)
{
    struct microstamp_observation o[5];
    double ratio;

    for (unsigned k = 0; k < 5; k++)
        o[k] = observation_from(MICROSTAMP_R29, "4H7K2N9X"); /* M worn to N */
    fuse(*state, o, 5);
    ratio = of_text(MICROSTAMP_R29, "4H7K2M9X") / of_text(MICROSTAMP_R29, "4H7K2N9X");
    assert_near(ratio, 0.01 * 0.8 / 0.99, 1e-3);
    assert_true(pow(0.016 / 0.98, 5) < 1e-8);
}

/* Many casings that all contradict each other stay within double's range. */
static void test_many_casings(void **state)
{
    struct microstamp_observation o[MICROSTAMP_MARKS_MAX];
    struct microstamp_words words = {0};
    uint64_t random = 51;

    for (unsigned k = 0; k < MICROSTAMP_MARKS_MAX; k++) {
        struct microstamp_code code = random_code(&random);
        char gear[41];

        microstamp_observation_clear(MICROSTAMP_R29, LENGTH, &o[k]);
        for (unsigned i = 0; i < LENGTH; i++) {
            o[k].position[i].read = true;
            o[k].position[i].set = UINT64_C(1) << code.symbol[i];
        }
        code = random_code(&random);
        gear_of(&code, gear);
        assert_int_equal(microstamp_observation_gear(&o[k], gear, 40, NULL), MICROSTAMP_OK);
        o[k].orientation_unknown = o[k].rows_unknown = o[k].gear_index_unknown = k < 4;
    }
    fuse(*state, o, MICROSTAMP_MARKS_MAX);
    assert_true(isfinite(line.log_scale) && line.log_scale < -1000.0);
    assert_int_equal(microstamp_line_find(&line, 200, &words), MICROSTAMP_OK);
    assert_true(isfinite(words.z) && words.z > 0.0 && words.best_count >= 1);
    microstamp_words_free(&words);
}

/* 32 ways for each of three casings: 64 combinations are kept, and with them nearly all that the
 * right code has. */
static void test_combinations_are_bounded(void **state)
{
    struct microstamp_code code = code_from("18M69HX0");
    struct microstamp_observation o[3];
    double right;
    char gear[41];

    gear_of(&code, gear);
    for (unsigned k = 0; k < 3; k++) {
        o[k] = observation_from(MICROSTAMP_R29, "18M6 9HX0");
        assert_int_equal(microstamp_observation_gear(&o[k], gear, 40, NULL), MICROSTAMP_OK);
        o[k].orientation_unknown = o[k].rows_unknown = o[k].gear_index_unknown = true;
    }
    fuse(*state, o, 3);
    assert_int_equal(line.count, MICROSTAMP_VIEWS_MAX);
    right = of_text(MICROSTAMP_R29, "18M69HX0");
    for (unsigned k = 0; k < 3; k++)
        o[k].orientation_unknown = o[k].rows_unknown = o[k].gear_index_unknown = false;
    fuse(*state, o, 3);
    assert_near(right, of_text(MICROSTAMP_R29, "18M69HX0") / (32.0 * 32 * 32), 1e-6);
}

/* ---- words of several views ---- */

static void random_line(const struct microstamp_matrix *matrix, uint64_t *random)
{
    struct microstamp_observation o[3];
    struct microstamp_code code = random_code(random);
    size_t count = 1 + random_below(random, 3);

    for (size_t k = 0; k < count; k++) {
        o[k] = random_observation(random, MICROSTAMP_R29, LENGTH, code.symbol, true);
        o[k].orientation_unknown = random_below(random, 2) == 0;
        o[k].rows_unknown = random_below(random, 3) == 0;
        o[k].gear_index_unknown = random_below(random, 3) == 0;
    }
    fuse(matrix, o, count);
}

static void test_z_of_views(void **state)
{
    uint64_t random = 52;

    for (unsigned round = 0; round < 60; round++) {
        double z = 0.0, mean = 0.0, found, found_mean;

        random_line(*state, &random);
        for (unsigned v = 0; v < line.count; v++) {
            double product = line.weight[v];

            z += line.weight[v] * plain_z(&line.evidence[v]);
            for (unsigned i = 0; i < LENGTH; i++) {
                double sum = 0.0;

                for (unsigned t = 0; t < SIZE; t++)
                    sum += microstamp_evidence_row(&line.evidence[v], i)->p[t];
                product *= sum / SIZE;
            }
            mean += product;
        }
        found = microstamp_line_z(&line, &found_mean);
        assert_near(found, z, 1e-9);
        assert_near(found_mean, mean, 1e-12);
    }
}

static int compare_likelihood(const void *a, const void *b)
{
    const struct microstamp_word *x = a, *y = b;

    return x->likelihood != y->likelihood ? (x->likelihood > y->likelihood ? -1 : 1)
                                          : memcmp(&x->code, &y->code, sizeof(x->code));
}

static int compare_codes(const void *a, const void *b)
{
    const struct microstamp_word *x = a, *y = b;

    return memcmp(&x->code, &y->code, sizeof(x->code));
}

/* All words that are among the best `deep` of any view, with their likelihood under all: a word
 * that is missing there has no more than the sum of what each view ends with. */
static size_t all_words(size_t deep, struct microstamp_word *ret_words, double *ret_bound)
{
    static struct microstamp_words words;
    size_t count = 0, unique = 0;

    *ret_bound = 0.0;
    for (unsigned v = 0; v < line.count; v++) {
        words.count = 0;
        words.left = INFINITY;
        assert_int_equal(microstamp_search_run(&line.evidence[v], deep, &words), MICROSTAMP_OK);
        memcpy(ret_words + count, words.word, words.count * sizeof(*ret_words));
        count += words.count;
        *ret_bound += line.weight[v] * words.word[words.count - 1].likelihood;
    }
    microstamp_words_free(&words);
    qsort(ret_words, count, sizeof(*ret_words), compare_codes);
    for (size_t i = 0; i < count; i++) {
        if (unique == 0 || compare_codes(&ret_words[unique - 1], &ret_words[i]) != 0)
            ret_words[unique++] = ret_words[i];
    }
    for (size_t i = 0; i < unique; i++)
        ret_words[i].likelihood = microstamp_line_likelihood(&line, ret_words[i].code.symbol);
    qsort(ret_words, unique, sizeof(*ret_words), compare_likelihood);
    return unique;
}

static void test_words_of_views(void **state)
{
    static struct microstamp_word plain[MICROSTAMP_VIEWS_MAX * 600];
    struct microstamp_words words = {0};
    uint64_t random = 53;
    size_t compared = 0;

    for (unsigned round = 0; round < 60; round++) {
        double bound, left, mean;
        size_t all, max = round % 4 == 0 ? 50 : 400;

        random_line(*state, &random);
        assert_int_equal(microstamp_line_find(&line, max, &words), MICROSTAMP_OK);
        assert_near(words.z, microstamp_line_z(&line, &mean), 1e-13);
        assert_near(words.random_mean, mean, 1e-13);
        left = words.z;
        for (size_t i = 0; i < words.count; i++) {
            assert_true(microstamp_r29_is_valid(&words.word[i].code));
            assert_near(words.word[i].likelihood,
                        microstamp_line_likelihood(&line, words.word[i].code.symbol), 1e-13);
            left -= words.word[i].likelihood;
        }
        assert_true(fabs(words.left - fmax(left, 0.0)) <= 1e-12 * words.z);
        all = all_words(600, plain, &bound);
        for (size_t i = 0; i < words.best_count && i < all && plain[i].likelihood > bound; i++) {
            assert_near(words.word[i].likelihood, plain[i].likelihood, 1e-12);
            compared++;
        }
        if (words.complete && words.count == words.best_count)
            assert_true(words.left < words.word[0].likelihood / 100.0);
        qsort(words.word, words.count, sizeof(*words.word), compare_codes);
        for (size_t i = 1; i < words.count; i++)
            assert_true(compare_codes(&words.word[i - 1], &words.word[i]) < 0);
    }
    assert_true(compared > 500);
    microstamp_words_free(&words);
}

/* However the part was held, a good reading leads to the right code and little else. */
static void test_right_word_is_found(void **state)
{
    struct microstamp_words words = {0};
    uint64_t random = 54;

    for (unsigned round = 0; round < 200; round++) {
        struct microstamp_code code = random_code(&random), written = code;
        struct microstamp_observation o;
        char text[9], gear[41], turned[41];

        for (unsigned i = 0; i < LENGTH; i++)
            written.symbol[i] = code.symbol[(i + 4) % LENGTH];
        if (microstamp_r29_is_valid(&written))
            continue; /* nothing tells which of the two it is */
        microstamp_r29_canonical(round % 2 == 0 ? &code : &written, text);
        text[round % LENGTH] = '?';
        o = observation_from(MICROSTAMP_R29, text);
        gear_of(&code, gear);
        for (unsigned k = 0; k < 40; k++)
            turned[k] = random_below(&random, 4) == 0 ? '?' : gear[(k + 5 * (round % 8)) % 40];
        assert_int_equal(microstamp_observation_gear(&o, turned, 40, NULL), MICROSTAMP_OK);
        o.orientation_unknown = o.rows_unknown = o.gear_index_unknown = true;
        fuse(*state, &o, 1);
        assert_int_equal(microstamp_line_find(&line, 0, &words), MICROSTAMP_OK);
        assert_memory_equal(&words.word[0].code, &code, sizeof(code));
        assert_true(words.best_count < 20);
        assert_true(words.word[0].near);
    }
    microstamp_words_free(&words);
}

/* Near words are those of each view that counts, and are marked whether found before or after. */
static void test_near_of_views(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_R29, "0090 0A00");
    struct microstamp_words words = {0};
    struct microstamp_code zero = {{0}};
    size_t near = 0, zeros = 0;

    /* Two characters wrong, and the rows in doubt: both orders leave the zero code two away. */
    o.rows_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(microstamp_line_find(&line, 0, &words), MICROSTAMP_OK);
    for (size_t i = 0; i < words.count; i++) {
        near += words.word[i].near;
        zeros += differences(&words.word[i].code, &zero) == 0 && words.word[i].near;
    }
    assert_int_equal(zeros, 1);
    assert_true(near > 28 && near <= 56);
    /* A code that is read without fault is near to itself only, for the other order explains
     * next to nothing. */
    o = observation_from(MICROSTAMP_R29, "00000000");
    o.position[0].set = UINT64_C(1);
    o.orientation_unknown = true;
    fuse(*state, &o, 1);
    assert_int_equal(line.count, 1); /* turned, it is the same */
    assert_int_equal(microstamp_line_find(&line, 0, &words), MICROSTAMP_OK);
    assert_int_equal(words.count, 1);
    microstamp_words_free(&words);
}

/* ---- cost ---- */

static void test_lookups_are_foreseen(void **state)
{
    static const char *const texts[] = {
        "4H7K????",    "00000000",       "0000000?",          "000000??",
        "00000???",    "0000[0A][0A]??", "0000[0ACD][0AE]?0", "0[01][0A][0C]0000",
        "00[08]00000", "00000A00",       "0000A00?",          "????????",
    };
    struct microstamp_words words = {0};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct microstamp_observation o = observation_from(MICROSTAMP_R29, texts[i]);
        unsigned foreseen = microstamp_observation_lookups(&o);

        fuse(*state, &o, 1);
        assert_int_equal(microstamp_line_find(&line, 0, &words), MICROSTAMP_OK);
        if ((double)foreseen > 5.0 * (double)words.count + 20 ||
            (double)words.count > 5.0 * foreseen + 20)
            fail_msg("%s: %u look-ups foreseen, %zu made", texts[i], foreseen, words.count);
    }
    microstamp_words_free(&words);
}

static void test_lookups_of_others(void **state)
{
    struct microstamp_observation o = observation_from(MICROSTAMP_OPAQUE, "A7?[12]9");

    (void)state;
    assert_int_equal(microstamp_observation_lookups(&o), 67);
    o = observation_from(MICROSTAMP_OPAQUE, "????????");
    assert_int_equal(microstamp_observation_lookups(&o), MICROSTAMP_PATTERN_MAX);
    o = observation_from(MICROSTAMP_R29, "00000000");
    o.orientation_unknown = true;
    assert_int_equal(microstamp_observation_lookups(&o), 1);
    /* Weights that settle it are worth a character read, nearly. */
    o = observation_from(MICROSTAMP_R29, "000000??");
    assert_int_equal(microstamp_observation_weigh(&o, 7, "0", (const double[]){0.99}, 1, NULL),
                     MICROSTAMP_OK);
    assert_true(microstamp_observation_lookups(&o) < 10);
}

static int release(void **state)
{
    microstamp_line_free(&line);
    microstamp_line_free(&line);
    microstamp_line_free(NULL);
    return free_matrix(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_is_one_view),
        cmocka_unit_test(test_weights_by_hand),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_orientation_of_what_does_not_turn),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_gear_alone),
        cmocka_unit_test(test_gear_and_characters),
        cmocka_unit_test(test_gear_without_teeth),
        cmocka_unit_test(test_fusion_by_formula),
        cmocka_unit_test(test_worn_pin),
        cmocka_unit_test(test_many_casings),
        cmocka_unit_test(test_combinations_are_bounded),
        cmocka_unit_test(test_z_of_views),
        cmocka_unit_test(test_words_of_views),
        cmocka_unit_test(test_right_word_is_found),
        cmocka_unit_test(test_near_of_views),
        cmocka_unit_test(test_lookups_are_foreseen),
        cmocka_unit_test(test_lookups_of_others),
    };

    return cmocka_run_group_tests(tests, make_matrix, release);
}
