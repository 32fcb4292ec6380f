// SPDX-License-Identifier: Apache-2.0
#ifndef MICROSTAMP_MICROSTAMP_H
#define MICROSTAMP_MICROSTAMP_H

/* The code that is stamped on a casing, how it is read, and which registered firearm the readings
 * mean. Pure functions: no I/O, no clock, no state of their own. The usual way through:
 *
 *   once:       microstamp_matrix_make_default()      or _make(), of measured rates
 *               microstamp_examination_make()         one for each thread, used again and again
 *   per trace:  microstamp_observation_parse()        what a laboratory sent of each mark
 *               microstamp_observation_weigh(), _gear()
 *               microstamp_examination_begin(), _add(), _link()
 *               microstamp_examination_plan()         what to look up in the registry
 *                  … the caller looks it up …
 *               microstamp_examination_resolve()      what the registry holds -> groups, each with
 *               microstamp_examination_groups()       its ranked candidates and its state
 *               microstamp_examination_agreement()    for the answer, as is _next_best()
 *
 * Where a formula comes from stands beside the code that computes it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MICROSTAMP_MUST_CHECK __attribute__((warn_unused_result))

enum microstamp_status {
    MICROSTAMP_OK = 0,
    MICROSTAMP_BAD_INPUT,     /* the input is wrong; struct microstamp_error says where */
    MICROSTAMP_NOT_VALID,     /* well formed, but no code word of the scheme */
    MICROSTAMP_UNCORRECTABLE, /* more is wrong or unread than the scheme can restore */
    MICROSTAMP_LIMIT,         /* more than a bound of this header allows */
    MICROSTAMP_NO_MEMORY,
};

/* Where an input is wrong and what was expected there. offset counts bytes of a text, or members of
 * a list, from 0, and equals the length when something is missing at the end. text is lower case,
 * printable ASCII. */
struct microstamp_error {
    size_t offset;
    char text[120];
};

/* ---- characters -------------------------------------------------------------------------- */

/* A symbol is a character's place in its alphabet, from 0. */
enum microstamp_alphabet {
    MICROSTAMP_R29,    /* 29: 0-9 and letters without B I L O Q S Z, which fold to look-alikes */
    MICROSTAMP_OPAQUE, /* 36: 0-9 A-Z, not folded: codes that manufacturers brought */
};

#define MICROSTAMP_R29_SIZE 29
#define MICROSTAMP_OPAQUE_SIZE 36
#define MICROSTAMP_SYMBOLS_MAX 36
#define MICROSTAMP_LENGTH_MIN 4 /* characters of an opaque code */
#define MICROSTAMP_LENGTH_MAX 12
#define MICROSTAMP_TEXT (MICROSTAMP_LENGTH_MAX + 1) /* bytes of a canonical code of any scheme */

/* How many symbols there are. Threads: any. */
unsigned microstamp_alphabet_size(enum microstamp_alphabet alphabet);

/* The symbol of a character as typed: lower case is raised, and folded where the alphabet folds.
 * -1 for none. Threads: any. */
int microstamp_symbol(enum microstamp_alphabet alphabet, char character);

/* The character of a symbol of the alphabet. Threads: any. */
char microstamp_character(enum microstamp_alphabet alphabet, unsigned symbol);

/* Reads a manufacturer's code: 4 to 12 letters and digits. Lower case is raised, spaces and '-' are
 * ignored, nothing is folded.
 * text: length bytes, need not end in NUL, may hold anything.
 * ret_text: the canonical form, as stored and looked up, and a NUL.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL); ret_text untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status microstamp_opaque_parse(const char *text,
                                                                     size_t length,
                                                                     char ret_text[MICROSTAMP_TEXT],
                                                                     struct microstamp_error *err);

/* ---- scheme R29-8 ------------------------------------------------------------------------ */

#define MICROSTAMP_R29_NAME "R29-8"
#define MICROSTAMP_R29_LENGTH 8          /* characters in a code */
#define MICROSTAMP_R29_RANDOM 6          /* characters that are free; the other two check them */
#define MICROSTAMP_R29_WORDS 594823321.0 /* 29 to the 6th: how many valid codes there are */

/* Eight characters by value, each 0 to 28. Not every such string is a valid code. */
struct microstamp_code {
    uint8_t symbol[MICROSTAMP_R29_LENGTH];
};

/* Reads eight characters: lower case and look-alikes (B I L O Q S Z) are folded, spaces and '-'
 * ignored. Does not ask for validity: see microstamp_r29_is_valid().
 * text: length bytes, need not end in NUL, may hold anything.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL); *ret_code untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status microstamp_r29_parse(const char *text, size_t length,
                                                                  struct microstamp_code *ret_code,
                                                                  struct microstamp_error *err);

/* Writes the canonical eight characters, as stored and looked up, and a NUL. Threads: any. */
void microstamp_r29_canonical(const struct microstamp_code *code, char ret_text[9]);

/* Writes the form that people read, "4H7K 2M9X", and a NUL. Threads: any. */
void microstamp_r29_format(const struct microstamp_code *code, char ret_text[10]);

/* Computes both check sums mod 29; both are 0 exactly for valid codes. Threads: any. */
void microstamp_r29_syndromes(const struct microstamp_code *code, unsigned *ret_s0,
                              unsigned *ret_s1);

/* Says whether a string of symbols is a valid code. Threads: any. */
bool microstamp_r29_is_valid(const struct microstamp_code *code);

/* Makes a valid code of six symbols, each 0 to 28. Codes that are issued need symbols that are
 * uniform and from a cryptographic source: the caller brings them. Threads: any. */
void microstamp_r29_complete(const uint8_t random[MICROSTAMP_R29_RANDOM],
                             struct microstamp_code *ret_code);

/* Fills in up to two unread characters, so that the code is valid.
 * unread: bit i set = position i was not read, and its symbol is ignored.
 * Errors:  MICROSTAMP_UNCORRECTABLE (more than two), MICROSTAMP_NOT_VALID (fewer than two and what
 *          was read contradicts itself); *ret_code untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_r29_recover(const struct microstamp_code *code, unsigned unread,
                       struct microstamp_code *ret_code);

/* Corrects at most one wrong character of eight that were read.
 * ret_position: the position that was corrected, or -1 if the code was valid as it is.
 * Errors:  MICROSTAMP_UNCORRECTABLE (two or more are wrong); outputs untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_r29_correct(const struct microstamp_code *code, struct microstamp_code *ret_code,
                       int *ret_position);

/* ---- what a laboratory saw of one mark --------------------------------------------------- */

#define MICROSTAMP_GEAR_TEETH 40 /* 8 sectors of 5 */

/* What was seen at one position: nothing, or how much it looked like each character. */
struct microstamp_position {
    bool read;    /* false: illegible, and the rest says nothing */
    bool weighed; /* weight[] counts; else every member of set weighs the same */
    uint64_t set; /* bit s: symbol s weighs at least its even share, 1/size. Never empty if read;
                     one bit: it was read as that character */
    double weight[MICROSTAMP_SYMBOLS_MAX]; /* of each symbol; sums to 1 */
};

/* One mark on one casing or part. Made by the functions below; orientation_unknown, rows_unknown
 * and gear_index_unknown may be set afterwards. Rows can only be unknown at length 8. */
struct microstamp_observation {
    enum microstamp_alphabet alphabet;
    unsigned length; /* 8 for R29 */
    struct microstamp_position position[MICROSTAMP_LENGTH_MAX];
    bool has_gear;            /* R29 only */
    bool gear_index_unknown;  /* the notch was not seen: any of 8 rotations */
    bool orientation_unknown; /* it may have been read upside down */
    bool rows_unknown;        /* the two rows of four may have been read in the wrong order */
    char gear[MICROSTAMP_GEAR_TEETH]; /* '1', '0' or '?'; sector i is position i, clockwise on the
                                         primer from the notch, most significant tooth first */
};

/* Reads what a laboratory wrote, position by position: a character, '?' (illegible) or a choice
 * such as [MN8], whose members count once however often they are named. Spaces and '-' between
 * positions are ignored. "4H7? 2[MN]9X". 8 positions for R29, 4 to 12 for OPAQUE.
 * text: length bytes, need not end in NUL, may hold anything.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL); *ret_observation untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_observation_parse(enum microstamp_alphabet alphabet, const char *text, size_t length,
                             struct microstamp_observation *ret_observation,
                             struct microstamp_error *err);

/* Makes an observation in which nothing is legible: the start for weights, or for a gear alone.
 * length: 8 for R29, 4 to 12 for OPAQUE. Threads: any. */
void microstamp_observation_clear(enum microstamp_alphabet alphabet, unsigned length,
                                  struct microstamp_observation *ret_observation);

/* Sets one position from weights: each over 0, together at most 1; what is missing to 1 is spread
 * evenly over the characters that are not listed, so nothing may be missing if all are. Characters
 * that fold to one symbol add up. None listed means illegible. position: below the observation's
 * length. characters, weights: count of each. Errors:  MICROSTAMP_BAD_INPUT, err->offset being the
 * index into the lists, or count when the sum is wrong; the observation is untouched. Threads: any.
 */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_observation_weigh(struct microstamp_observation *observation, unsigned position,
                             const char *characters, const double *weights, size_t count,
                             struct microstamp_error *err);

/* Adds the gear, the ring around an R29-8 code: 40 teeth as '1', '0' or '?'; spaces and '-' are
 * ignored.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL), also when the observation is
 *          not of R29; the observation is untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_observation_gear(struct microstamp_observation *observation, const char *text,
                            size_t length, struct microstamp_error *err);

/* About how many look-ups the mark alone will need, from the reading and without searching: 1 when
 * it is nearly complete, at most MICROSTAMP_WORDS_MAX. For schedulers; costs well under a
 * microsecond. Threads: any. */
unsigned microstamp_observation_lookups(const struct microstamp_observation *observation);

/* ---- confusion matrix -------------------------------------------------------------------- */

#define MICROSTAMP_DEFAULT_NAME "default-1" /* of the matrix that is made without figures */
#define MICROSTAMP_DEFAULT_ERROR_RATE 0.02  /* chance that a character is read as another one */
#define MICROSTAMP_PROBABILITY_MIN 1e-9     /* no reading is impossible */
#define MICROSTAMP_LEARN_STRENGTH 100.0     /* readings per character that the default counts for */

/* Probabilities by [true][read], each row of which sums to 1. */
struct microstamp_rates {
    double r29[MICROSTAMP_R29_SIZE][MICROSTAMP_R29_SIZE];
    double opaque[MICROSTAMP_OPAQUE_SIZE][MICROSTAMP_OPAQUE_SIZE];
};

/* Pairs of true and read character of test fires of known pistols, by symbols of OPAQUE, that is
 * as written down and not folded. */
struct microstamp_counts {
    uint32_t count[MICROSTAMP_OPAQUE_SIZE][MICROSTAMP_OPAQUE_SIZE]; /* [true][read] */
};

/* How often each true character is read as each character, in both alphabets, with what is
 * precomputed of it. Made once, never changed afterwards, shared by all threads. */
struct microstamp_matrix;

/* The rates of the confusable groups, with errors at error_rate (over 0, under 1). Threads: any. */
void microstamp_rates_default(double error_rate, struct microstamp_rates *ret_rates);

/* The default rates, corrected by what was counted: the more readings of a character there are, the
 * less its default counts. An R29 row takes the readings of its character, folded. Every rate is at
 * least MICROSTAMP_PROBABILITY_MIN. Threads: any. */
void microstamp_rates_learn(const struct microstamp_counts *counts,
                            struct microstamp_rates *ret_rates);

/* Makes a matrix of given rates.
 * name: its version, 1 to 63 bytes, shown in answers (copied). rates: each at least
 * MICROSTAMP_PROBABILITY_MIN, each row sums to 1 within 1e-9; need not be symmetric.
 * Owner:   *ret_matrix is the caller's, free with microstamp_matrix_free().
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL): offset counts rows, R29's 29
 *          first, then OPAQUE's 36; 65 means the name. MICROSTAMP_NO_MEMORY.
 *          *ret_matrix untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_matrix_make(const char *name, const struct microstamp_rates *rates,
                       struct microstamp_matrix **ret_matrix, struct microstamp_error *err);

/* Makes the matrix "default-1": microstamp_rates_default() at MICROSTAMP_DEFAULT_ERROR_RATE.
 * Owner, errors, threads: as above. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_matrix_make_default(struct microstamp_matrix **ret_matrix);

/* Frees a matrix that nothing uses any more. NULL is safe. */
void microstamp_matrix_free(struct microstamp_matrix *matrix);

/* The matrix's name, valid as long as the matrix. Threads: any. */
const char *microstamp_matrix_name(const struct microstamp_matrix *matrix);

/* The probability of reading r when t is true, both symbols of the alphabet. Threads: any. */
double microstamp_matrix_probability(const struct microstamp_matrix *matrix,
                                     enum microstamp_alphabet alphabet, unsigned t, unsigned r);

/* ---- serial numbers of recovered parts --------------------------------------------------- */

#define MICROSTAMP_SERIAL_MAX 24         /* positions of a pattern */
#define MICROSTAMP_SERIAL_RUN UINT64_MAX /* in place of a set: any number of characters */

/* What can be seen of a serial number that was ground off. */
struct microstamp_serial {
    unsigned length;                     /* positions, 1 to MICROSTAMP_SERIAL_MAX */
    uint64_t set[MICROSTAMP_SERIAL_MAX]; /* bit s: symbol s of OPAQUE; 0: illegible; or RUN */
};

/* Reads a pattern of letters, digits, '?' (one illegible), choices [..] and '*' (nobody knows how
 * many illegible); spaces, '-', '.' and '/' are ignored. "AB1?34", "AB*34".
 * text: length bytes, need not end in NUL, may hold anything.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL); *ret_serial untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_serial_parse(const char *text, size_t length, struct microstamp_serial *ret_serial,
                        struct microstamp_error *err);

/* How much better a recorded serial number explains the pattern than one at random would: a
 * likelihood ratio for struct microstamp_candidate's factor. 1 if recorded is NULL; never below
 * 0.01, whatever disagrees, since parts are exchanged and numbers recorded wrongly.
 * recorded: as recorded, NUL-terminated; what the pattern ignores is ignored. Threads: any. */
double microstamp_serial_ratio(const struct microstamp_matrix *matrix,
                               const struct microstamp_serial *serial, const char *recorded);

/* ---- the examination: all marks of all specimens of one trace ---------------------------- */

#define MICROSTAMP_SPECIMENS_MAX 16
#define MICROSTAMP_MARKS_MAX 32
#define MICROSTAMP_WORDS_MAX 30000  /* the most look-ups that a search for R29 codes makes */
#define MICROSTAMP_PATTERN_MAX 4096 /* the most that an opaque pattern is expanded to */
#define MICROSTAMP_LOOKUPS_BULK 256 /* more look-ups than this belong in the bulk lane */
#define MICROSTAMP_SHOWN_MAX 50     /* candidates that an answer shows at most */
#define MICROSTAMP_PLACEMENT_UNKNOWN (-1)

/* What there is to know of the registry beside single codes. */
struct microstamp_registry {
    double firearms; /* N: all registered firearms, or the marked pistols in circulation if those
                        are more */
    double pi0;      /* prior probability that the firearm is not registered, over 0 and under 1 */
    double r29;      /* registered R29-8 codes */
    double opaque[MICROSTAMP_LENGTH_MAX + 1]; /* registered opaque codes by length */
    /* By length: [position][symbol] frequency of characters among opaque codes, smoothed so that
     * none is 0; rows sum to 1. NULL: even. The tables are the caller's until the examination is
     * begun anew. */
    const float (*frequency[MICROSTAMP_LENGTH_MAX + 1])[MICROSTAMP_OPAQUE_SIZE];
};

/* One mark of one specimen. The observations are the caller's, and stay until the examination is
 * begun anew. */
struct microstamp_mark {
    unsigned specimen; /* from 0 */
    int placement;     /* the caller's number, or MICROSTAMP_PLACEMENT_UNKNOWN: any mark of the
                          firearm */
    const struct microstamp_observation *r29;    /* NULL: it is not of R29-8 */
    const struct microstamp_observation *opaque; /* NULL: it is of R29-8. Both: scheme unknown */
};

/* One trace, from its marks to its answer. Keeps its memory from trace to trace. One thread. */
struct microstamp_examination;

/* Makes an examination.
 * Owner:   *ret_examination is the caller's, free with microstamp_examination_free().
 * Errors:  MICROSTAMP_NO_MEMORY; *ret_examination untouched. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_examination_make(struct microstamp_examination **ret_examination);

/* Frees it with all that it gave out. NULL is safe. */
void microstamp_examination_free(struct microstamp_examination *examination);

/* Begins a trace and forgets the one before. matrix must outlive it; *registry is copied. */
void microstamp_examination_begin(struct microstamp_examination *examination,
                                  const struct microstamp_matrix *matrix,
                                  const struct microstamp_registry *registry);

/* Adds a mark; marks are numbered from 0 as they come.
 * Errors:  MICROSTAMP_LIMIT beyond MICROSTAMP_MARKS_MAX marks or MICROSTAMP_SPECIMENS_MAX
 *          specimens; MICROSTAMP_BAD_INPUT for a mark that was read in no scheme. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_examination_add(struct microstamp_examination *examination,
                           const struct microstamp_mark *mark);

/* Says that two specimens are known to come from one gun (a confirmed hit): they are never put
 * into different groups. Both below MICROSTAMP_SPECIMENS_MAX. */
void microstamp_examination_link(struct microstamp_examination *examination, unsigned specimen_a,
                                 unsigned specimen_b);

/* ---- what to look up --------------------------------------------------------------------- */

enum microstamp_part {
    MICROSTAMP_WHOLE,       /* codes equal to text */
    MICROSTAMP_FIRST_HALF,  /* opaque codes of the length that begin with text */
    MICROSTAMP_SECOND_HALF, /* opaque codes of the length that end with text */
};

struct microstamp_lookup {
    enum microstamp_alphabet alphabet;
    enum microstamp_part part;
    unsigned length;            /* of whole codes. The first half of a length has length / 2 */
    char text[MICROSTAMP_TEXT]; /* canonical */
    double likelihood;          /* of the best line that asks for it, relative to that line's best;
                                   1 at most, for telling leads from the rest */
    double expected_rows;       /* how many codes a half is expected to find, by the frequencies */
};

/* Says what to look up in the registry for all marks that were added, each code once, the best
 * first. What is left out counts as unlisted, it is not forgotten.
 * max: at most this many (0: as many as the engine's own bounds allow).
 * Owner:   *ret_lookups belongs to the examination and lasts until it is begun anew.
 * Errors:  MICROSTAMP_NO_MEMORY; outputs untouched. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_examination_plan(struct microstamp_examination *examination, size_t max,
                            const struct microstamp_lookup **ret_lookups, size_t *ret_count);

/* Says that a look-up found more than the caller took (a half that is very common): what was not
 * taken then counts as unlisted. Between plan and resolve. lookup: index into the look-ups. */
void microstamp_examination_overflowed(struct microstamp_examination *examination, size_t lookup);

/* ---- what was found, and what it means --------------------------------------------------- */

/* Factors for records that disagree with a specimen; they multiply. */
#define MICROSTAMP_FACTOR_CALIBER 0.02
#define MICROSTAMP_FACTOR_NOT_INSTALLED 0.05 /* mark not recorded as installed at the incident */
#define MICROSTAMP_FACTOR_NOT_SHIPPED 0.05

/* A code as the registry records it on a firearm. */
struct microstamp_recorded {
    int placement; /* the caller's number */
    enum microstamp_alphabet alphabet;
    const char *code; /* canonical, NUL-terminated */
    double factor;    /* MICROSTAMP_FACTOR_NOT_INSTALLED, else 1 */
};

/* A registered firearm that the look-ups found, with all of its recorded codes. */
struct microstamp_candidate {
    const struct microstamp_recorded *mark;
    size_t mark_count;
    /* By specimen: caliber, shipping, serial number; over 0, and 1 if nothing is known. Over a
     * group of specimens those above 1 multiply; of those below 1 the least counts, once: three
     * casings that disagree with a recorded caliber are one disagreement. */
    double factor[MICROSTAMP_SPECIMENS_MAX];
};

enum microstamp_state {
    MICROSTAMP_IDENTIFIED,
    MICROSTAMP_CANDIDATES,
    MICROSTAMP_NO_MATCH,
    MICROSTAMP_INSUFFICIENT,
};

/* One candidate of one group. */
struct microstamp_ranked {
    size_t candidate; /* index into the candidates as given */
    size_t recorded;  /* index into its marks: the one that explains `mark`. SIZE_MAX: none of its
                         marks is where the specimens' marks are */
    unsigned mark;    /* the group's mark that speaks for it most */
    double ratio;     /* likelihood ratio against not registered */
    double posterior;
};

/* What a group's evidence means. Posteriors, not_registered and unlisted sum to 1. */
struct microstamp_ranking {
    enum microstamp_state state;
    double not_registered;          /* probability that the firearm is not in the registry */
    double unlisted;                /* probability that it is, but was not among the candidates */
    double likelihood_ratio;        /* best candidate (best code, if none) over not registered */
    double effective_characters;    /* log to base 29 of the likelihood ratio */
    double reading_characters;      /* the same for the best code, registered or not: how much was
                                       read. Below 3 is insufficient */
    double expected_chance_matches; /* registered codes expected to fit as well by chance */
};

/* Specimens that are taken to come from one gun. */
struct microstamp_group {
    uint32_t specimens; /* bit s: specimen s */
    struct microstamp_ranking ranking;
    const struct microstamp_ranked *ranked; /* the best first; ties keep the candidates' order */
    size_t ranked_count;
};

/* Ranks what the registry holds: puts the specimens into groups, and ranks the candidates of each.
 * To be called once after each plan, also with count 0.
 * candidates: count firearms in any order, the caller's until the examination is begun anew.
 * Errors:  MICROSTAMP_NO_MEMORY; there are then no groups. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_examination_resolve(struct microstamp_examination *examination,
                               const struct microstamp_candidate *candidates, size_t count);

/* The groups, in the order of their first specimens; at least one if there was a mark.
 * Owner: the examination, until it is begun anew. */
const struct microstamp_group *
microstamp_examination_groups(const struct microstamp_examination *examination, size_t *ret_count);

/* Says whether the groups explain the specimens at least 100 times better than one gun does. */
bool microstamp_examination_more_than_one(const struct microstamp_examination *examination);

/* The state as answers spell it: "identified", "candidates", "no_match", "insufficient". */
const char *microstamp_state_name(enum microstamp_state state);

/* Compares a recorded code with what was read of a mark, a character per position, and a NUL, the
 * mark held as explains the code best and in the order of the code's positions:
 * '=' read, and equal;  '.' not read;
 * '~' one of the characters of a choice, or another than was read but easily confused with it;
 * 'x' different.
 * mark: number of a mark. recorded: of a scheme and length that the mark may have, or else nothing
 * was read. */
void microstamp_examination_agreement(const struct microstamp_examination *examination,
                                      unsigned mark, const struct microstamp_recorded *recorded,
                                      char ret_text[MICROSTAMP_TEXT]);

/* How much one mark (with all others of its placement in the group) speaks for a candidate: log10
 * of the likelihood ratio against not registered, records aside but for the mark's own factor. 0 if
 * the candidate has no mark there. Marks that speak strongly for and against one candidate
 * disagree. ranked: index into the group's ranked. mark: number of a mark. ret_recorded: the
 * candidate's mark that it was held against, or SIZE_MAX. */
double microstamp_examination_support(const struct microstamp_examination *examination,
                                      size_t group, size_t ranked, unsigned mark,
                                      size_t *ret_recorded);

/* A position that is worth another look. */
struct microstamp_next {
    unsigned specimen;
    unsigned mark;     /* number of the mark */
    unsigned position; /* as the laboratory wrote it, from 0 */
    double bits;       /* by which reading it would be expected to narrow the answer */
};

/* Which positions, read better, would narrow a group's answer most, the best first.
 * group: index among the groups. Returns how many there are, at most max. */
size_t microstamp_examination_next_best(const struct microstamp_examination *examination,
                                        size_t group, struct microstamp_next *ret_next, size_t max);

#endif
