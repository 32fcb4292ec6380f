// SPDX-License-Identifier: Apache-2.0
/* The access log as a data structure: Merkle tree, batches, proofs, entry commitments, signed
 * notes, checkpoints, receipts, tiles, witness requests and policies. Bytes in, bytes out: no
 * files, no network, no database. Storage is reached only through struct accesslog_storage.
 *
 * Threads: there is no shared state that changes after first use. Every function may run in any
 * number of threads at once, as long as no two of them write the same object.
 * The program must have called sodium_init() before the first call.
 *
 * Lengths of text: functions named ..._format write text and return its length without the
 * ending NUL, which they write too; 0 means that it did not fit or could not be represented, and
 * the buffer then holds nothing of use. Parsers take a length and never need a NUL. */
#ifndef ACCESSLOG_ACCESSLOG_H
#define ACCESSLOG_ACCESSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCESSLOG_MUST_CHECK __attribute__((warn_unused_result))

enum accesslog_status {
    ACCESSLOG_OK = 0,
    ACCESSLOG_BAD_INPUT,     /* an argument is out of its range; nothing was computed */
    ACCESSLOG_MALFORMED,     /* the bytes are not in the format that was expected */
    ACCESSLOG_TOO_LARGE,     /* the bytes, or one of their lists, exceed the bound */
    ACCESSLOG_BAD_PROOF,     /* the proof does not lead to the root */
    ACCESSLOG_BAD_SIGNATURE, /* a signature by a known key does not verify */
    ACCESSLOG_UNKNOWN_KEY,   /* no signature by a known key that would count */
    ACCESSLOG_STORAGE,       /* the storage callback failed; the cause is known to its owner */
};

#define ACCESSLOG_HASH_BYTES 32u
#define ACCESSLOG_SALT_BYTES 32u
#define ACCESSLOG_LEAF_BYTES 33u
#define ACCESSLOG_LEVELS 64u
#define ACCESSLOG_SIZE_MAX ((uint64_t)INT64_MAX)
#define ACCESSLOG_PROOF_MAX 64u /* hashes in any inclusion or consistency proof */
#define ACCESSLOG_FRONTIER_BYTES_MAX (ACCESSLOG_LEVELS * ACCESSLOG_HASH_BYTES)

#define ACCESSLOG_BATCH_MAX 1024u
#define ACCESSLOG_BATCH_NODES 2176u
#define ACCESSLOG_BATCH_SUBTREES_MAX 16u

#define ACCESSLOG_NAME_MAX 255u
#define ACCESSLOG_SEED_BYTES 32u
#define ACCESSLOG_NOTE_BYTES_MAX 65536u
#define ACCESSLOG_NOTE_LINES_MAX 100u
#define ACCESSLOG_KNOWN_MAX 64u /* known keys in one verification */
#define ACCESSLOG_EXTRA_BYTES_MAX 65536u
#define ACCESSLOG_RECEIPT_BYTES_MAX 262144u
#define ACCESSLOG_WITNESS_PROOF_MAX 63u
#define ACCESSLOG_TILE_WIDTH 256u
#define ACCESSLOG_TILE_ENTRIES (-1) /* the "level" of entry bundles in tile paths */

/* Room that always suffices for the text named, with its NUL. */
#define ACCESSLOG_VERIFIER_TEXT_MAX 320u
#define ACCESSLOG_SIGNATURE_LINE_MAX 384u
#define ACCESSLOG_CHECKPOINT_TEXT_MAX 336u
#define ACCESSLOG_TILE_PATH_MAX 64u
#define ACCESSLOG_BASE64_BYTES(n) ((((size_t)(n) + 2u) / 3u) * 4u)
#define ACCESSLOG_RECEIPT_ROOM(extra_bytes, note_bytes)                                            \
    (ACCESSLOG_BASE64_BYTES(extra_bytes) + 64u + 45u * ACCESSLOG_PROOF_MAX + (size_t)(note_bytes))
#define ACCESSLOG_WITNESS_ROOM(note_bytes) (32u + 45u * ACCESSLOG_PROOF_MAX + (size_t)(note_bytes))

struct accesslog_hash {
    uint8_t bytes[ACCESSLOG_HASH_BYTES];
};

/* A short English name for a status, for messages. Never NULL, static. */
const char *accesslog_status_text(enum accesslog_status status);

/* True when both hashes are the same. Not constant time: hashes of the log are public. */
bool accesslog_hash_equal(const struct accesslog_hash *a, const struct accesslog_hash *b);

/* SHA256(00 || data): what the tree holds for one leaf. */
void accesslog_leaf_hash(const void *data, size_t data_bytes, struct accesslog_hash *ret_hash);

/* SHA256(01 || left || right). ret_hash may be left or right. */
void accesslog_node_hash(const struct accesslog_hash *left, const struct accesslog_hash *right,
                         struct accesslog_hash *ret_hash);

/* ---- tree ---- */

/* A log of `size` leaves; frontier[l] is valid iff bit l of size is set. Plain value, may be
 * copied by assignment. All zero is the empty tree. */
struct accesslog_tree {
    uint64_t size;
    struct accesslog_hash frontier[ACCESSLOG_LEVELS];
};

/* Appends one leaf hash. tree->size must be below ACCESSLOG_SIZE_MAX (asserted). */
void accesslog_tree_append(struct accesslog_tree *tree, const struct accesslog_hash *leaf_hash);

/* The root of the tree; of the empty one SHA256(""). */
void accesslog_tree_root(const struct accesslog_tree *tree, struct accesslog_hash *ret_root);

/* Writes the frontier as stored in log_head: hashes of the set bits of size, low bit first.
 * Returns the length in bytes, at most ACCESSLOG_FRONTIER_BYTES_MAX (0 for the empty tree). */
size_t accesslog_tree_pack(const struct accesslog_tree *tree,
                           uint8_t ret_frontier[ACCESSLOG_FRONTIER_BYTES_MAX]);

/* Rebuilds a tree from log_head's size and frontier.
 * Errors: ACCESSLOG_BAD_INPUT (size), ACCESSLOG_MALFORMED (length does not fit the size). */
ACCESSLOG_MUST_CHECK enum accesslog_status accesslog_tree_unpack(uint64_t size,
                                                                 const void *frontier,
                                                                 size_t frontier_bytes,
                                                                 struct accesslog_tree *ret_tree);

/* ---- batch ---- */

/* A subtree of 2^level leaves that has become complete, a row of log_subtree. */
struct accesslog_subtree {
    unsigned level; /* 8, 16, 24 … */
    uint64_t index;
    struct accesslog_hash hash;
};

/* What one batch does to the tree. About 75 KiB, so the caller keeps one per lane rather than on
 * the stack. The first four members may be read; the rest is for the functions below. */
struct accesslog_batch {
    uint64_t first; /* index of the batch's first leaf = old size */
    size_t count;
    struct accesslog_tree tree; /* after the batch */
    struct accesslog_hash root; /* of that tree */
    size_t subtree_count;
    struct accesslog_subtree subtrees[ACCESSLOG_BATCH_SUBTREES_MAX]; /* for log_subtree */
    /* Complete nodes of level l that the batch made, and the frontier's before them, stand at
     * nodes[offsets[l]…] from index starts[l] on; edges[l] covers the leaves behind the last
     * complete node of level l. */
    uint16_t offsets[ACCESSLOG_LEVELS];
    uint64_t starts[ACCESSLOG_LEVELS];
    struct accesslog_hash edges[ACCESSLOG_LEVELS];
    struct accesslog_hash nodes[ACCESSLOG_BATCH_NODES];
};

/* Appends count leaf hashes to a tree and keeps what the paths of these leaves need; uses nothing
 * but the old frontier and the leaves, about one hash per leaf.
 * count:   1 … ACCESSLOG_BATCH_MAX. old may be &ret_batch->tree (the next batch of the same lane).
 * Errors:  ACCESSLOG_BAD_INPUT (count, or size would pass ACCESSLOG_SIZE_MAX); *ret_batch
 * untouched. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_batch_append(const struct accesslog_tree *old, const struct accesslog_hash *leaf_hashes,
                       size_t count, struct accesslog_batch *ret_batch);

/* Inclusion path of leaf first + ordinal in the tree after the batch, the leaf's sibling first.
 * ordinal: 0 … count - 1 (asserted). Computes no hash. Returns the number of hashes. */
size_t accesslog_batch_path(const struct accesslog_batch *batch, size_t ordinal,
                            struct accesslog_hash ret_path[ACCESSLOG_PROOF_MAX]);

/* ---- proofs ---- */

/* Reads stored hashes: level 0 are leaf hashes, level 8, 16, 24 … the rows of log_subtree. Must
 * fill `count` (1 … 256) hashes from index `first` on and return ACCESSLOG_OK, or return
 * ACCESSLOG_STORAGE. Only hashes that are complete within the size asked for are requested. */
struct accesslog_storage {
    enum accesslog_status (*hashes)(void *context, unsigned level, uint64_t first, size_t count,
                                    struct accesslog_hash *ret_hashes);
    void *context;
};

/* Rebuilds the tree of any size up to the stored one (its root: accesslog_tree_root).
 * Reads at most one range per level. Errors: ACCESSLOG_BAD_INPUT, ACCESSLOG_STORAGE. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_tree_load(const struct accesslog_storage *storage, uint64_t size,
                    struct accesslog_tree *ret_tree);

/* Inclusion path of leaf `index` in the tree of `size` leaves, from storage; at most two range
 * reads per level. Errors: ACCESSLOG_BAD_INPUT (index ≥ size), ACCESSLOG_STORAGE. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_prove_inclusion(const struct accesslog_storage *storage, uint64_t index, uint64_t size,
                          struct accesslog_hash ret_path[ACCESSLOG_PROOF_MAX], size_t *ret_count);

/* Consistency proof from old_size to new_size, from storage; empty when they are equal or
 * old_size is 0. Errors: ACCESSLOG_BAD_INPUT (old_size > new_size), ACCESSLOG_STORAGE. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_prove_consistency(const struct accesslog_storage *storage, uint64_t old_size,
                            uint64_t new_size, struct accesslog_hash ret_proof[ACCESSLOG_PROOF_MAX],
                            size_t *ret_count);

/* ACCESSLOG_OK when the path shows leaf_hash at index in the tree (size, root); otherwise
 * ACCESSLOG_BAD_PROOF. Any values are allowed. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_check_inclusion(uint64_t index, uint64_t size, const struct accesslog_hash *leaf_hash,
                          const struct accesslog_hash *path, size_t count,
                          const struct accesslog_hash *root);

/* ACCESSLOG_OK when the tree (new_size, new_root) only adds to (old_size, old_root); otherwise
 * ACCESSLOG_BAD_PROOF. Any values are allowed. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_check_consistency(uint64_t old_size, const struct accesslog_hash *old_root,
                            uint64_t new_size, const struct accesslog_hash *new_root,
                            const struct accesslog_hash *proof, size_t count);

/* ---- entry ---- */

/* All that is computed of one entry before the head is locked. */
struct accesslog_entry {
    struct accesslog_hash d_header;
    struct accesslog_hash d_subject;
    uint8_t leaf[ACCESSLOG_LEAF_BYTES]; /* what tiles and bundles show */
    struct accesslog_hash leaf_hash;    /* what the tree holds */
};

/* HMAC-SHA256(salt, part): D_header or D_subject. */
void accesslog_entry_digest(const uint8_t salt[ACCESSLOG_SALT_BYTES], const void *part,
                            size_t part_bytes, struct accesslog_hash *ret_digest);

/* The leaf of an entry whose two digests are known (a checker may only have D_subject). */
void accesslog_entry_leaf(const struct accesslog_hash *d_header,
                          const struct accesslog_hash *d_subject,
                          uint8_t ret_leaf[ACCESSLOG_LEAF_BYTES],
                          struct accesslog_hash *ret_leaf_hash);

/* Commits to a whole entry. The salts are fresh random bytes of the caller's. */
void accesslog_entry_commit(const void *header, size_t header_bytes,
                            const uint8_t salt_header[ACCESSLOG_SALT_BYTES], const void *subject,
                            size_t subject_bytes, const uint8_t salt_subject[ACCESSLOG_SALT_BYTES],
                            struct accesslog_entry *ret_entry);

/* ---- keys ---- */

enum accesslog_key_type {
    ACCESSLOG_KEY_ED25519 = 1,
    ACCESSLOG_KEY_COSIGNATURE = 4,
};

/* A verifier key: a value without pointers. */
struct accesslog_verifier {
    char name[ACCESSLOG_NAME_MAX + 1];
    enum accesslog_key_type type;
    uint8_t id[4];
    uint8_t public_key[32];
};

/* A signing key. Secret: the caller keeps it in memory of its choice (sodium_malloc) and clears
 * it with accesslog_signer_wipe(). */
struct accesslog_signer {
    struct accesslog_verifier verifier;
    uint8_t secret_key[64];
};

/* Makes a verifier key from its parts and computes its id. name: not empty, at most
 * ACCESSLOG_NAME_MAX bytes of UTF-8, no space, control character or plus.
 * Errors: ACCESSLOG_BAD_INPUT. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_verifier_init(const char *name, enum accesslog_key_type type,
                        const uint8_t public_key[32], struct accesslog_verifier *ret_verifier);

/* Parses `name+hex8(id)+base64(type || public key)`, without white space around it.
 * Errors: ACCESSLOG_MALFORMED (also when the id is not that of the key, or the type unknown). */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_verifier_parse(const char *text, size_t length, struct accesslog_verifier *ret_verifier);

/* Writes that text; ACCESSLOG_VERIFIER_TEXT_MAX bytes suffice. */
size_t accesslog_verifier_format(const struct accesslog_verifier *verifier, char *ret_text,
                                 size_t capacity);

/* Makes a signing key from a 32-byte seed (the keyring's form). Errors: ACCESSLOG_BAD_INPUT. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_signer_init(const char *name, enum accesslog_key_type type,
                      const uint8_t seed[ACCESSLOG_SEED_BYTES],
                      struct accesslog_signer *ret_signer);

/* Overwrites the key. NULL is allowed. */
void accesslog_signer_wipe(struct accesslog_signer *signer);

/* ---- signed notes ---- */

/* A note taken apart. Points into the caller's bytes. */
struct accesslog_note {
    const char *text; /* the signed bytes, ending in LF */
    size_t text_length;
    const char *lines; /* all signature lines, each ending in LF */
    size_t lines_length;
};

/* What a known key signed, one per known key. */
struct accesslog_signed {
    bool valid;
    uint64_t time_s; /* newest cosignature's Unix time, seconds; 0 for Ed25519 */
};

/* Takes a note apart and checks its form: UTF-8, no control character but LF, split at the last
 * empty line, every signature line well formed. Verifies nothing.
 * Errors: ACCESSLOG_MALFORMED, ACCESSLOG_TOO_LARGE (bytes or lines). */
ACCESSLOG_MUST_CHECK enum accesslog_status accesslog_note_parse(const char *note, size_t length,
                                                                struct accesslog_note *ret_note);

/* Verifies a note's signatures against the known keys. Keys match on (name, id); lines by unknown
 * keys are ignored; a bad signature by a known key refuses the note; at least one known and valid
 * one is needed.
 * ret_signed: NULL or room for known_count results; untouched on failure.
 * Errors:  ACCESSLOG_BAD_SIGNATURE, ACCESSLOG_UNKNOWN_KEY, ACCESSLOG_MALFORMED,
 *          ACCESSLOG_TOO_LARGE, ACCESSLOG_BAD_INPUT (known_count > ACCESSLOG_KNOWN_MAX). */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_note_verify(const struct accesslog_note *note, const struct accesslog_verifier *known,
                      size_t known_count, struct accesslog_signed *ret_signed);

/* Writes the signature line of an Ed25519 key over text, with its LF
 * (ACCESSLOG_SIGNATURE_LINE_MAX bytes suffice). The text must be acceptable as a note's. */
size_t accesslog_note_sign(const struct accesslog_signer *signer, const char *text,
                           size_t text_length, char *ret_line, size_t capacity);

/* Writes the cosignature line of a key of type ACCESSLOG_KEY_COSIGNATURE over a checkpoint's text.
 */
size_t accesslog_note_cosign(const struct accesslog_signer *signer, uint64_t time_s,
                             const char *text, size_t text_length, char *ret_line, size_t capacity);

/* Joins text and signature lines (each with its LF) to a note. */
size_t accesslog_note_format(const char *text, size_t text_length, const char *lines,
                             size_t lines_length, char *ret_note, size_t capacity);

/* ---- checkpoints ---- */

struct accesslog_checkpoint {
    char origin[ACCESSLOG_NAME_MAX + 1];
    uint64_t size;
    struct accesslog_hash root;
};

/* Writes the text that is signed; ACCESSLOG_CHECKPOINT_TEXT_MAX bytes suffice. */
size_t accesslog_checkpoint_format(const struct accesslog_checkpoint *checkpoint, char *ret_text,
                                   size_t capacity);

/* Parses that text; extension lines are refused. Errors: ACCESSLOG_MALFORMED. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_checkpoint_parse(const char *text, size_t length,
                           struct accesslog_checkpoint *ret_checkpoint);

/* Writes a whole checkpoint note signed by each of the signers (one; two during a rotation). Every
 * signer's name must be the origin. Sign only roots that are committed. */
size_t accesslog_checkpoint_sign(const struct accesslog_checkpoint *checkpoint,
                                 const struct accesslog_signer *signers, size_t signer_count,
                                 char *ret_note, size_t capacity);

/* Parses and verifies a checkpoint note. Needs a valid Ed25519 signature by a known key whose name
 * is the checkpoint's origin; cosignatures by other known keys are verified too.
 * ret_signed: NULL or room for known_count results.
 * Errors:  ACCESSLOG_MALFORMED, ACCESSLOG_TOO_LARGE, ACCESSLOG_BAD_SIGNATURE,
 *          ACCESSLOG_UNKNOWN_KEY. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_checkpoint_open(const char *note, size_t length, const struct accesslog_verifier *known,
                          size_t known_count, struct accesslog_checkpoint *ret_checkpoint,
                          struct accesslog_signed *ret_signed);

/* ---- receipts ---- */

/* A receipt taken apart. note points into the caller's text, extra into the caller's buffer. */
struct accesslog_receipt {
    const uint8_t *extra; /* NULL when there is no extra line */
    size_t extra_bytes;
    uint64_t index;
    size_t path_count;
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    const char *note;
    size_t note_length;
};

/* Writes a receipt; ACCESSLOG_RECEIPT_ROOM(extra_bytes, note_length) bytes suffice.
 * extra: raw bytes, at most ACCESSLOG_EXTRA_BYTES_MAX; NULL for none.
 * note:  the signed checkpoint, taken as it is. */
size_t accesslog_receipt_format(const void *extra, size_t extra_bytes, uint64_t index,
                                const struct accesslog_hash *path, size_t path_count,
                                const char *note, size_t note_length, char *ret_text,
                                size_t capacity);

/* Takes a receipt apart. Verifies nothing.
 * extra_buffer: receives the decoded extra; length / 4 * 3 bytes suffice.
 * Errors: ACCESSLOG_MALFORMED, ACCESSLOG_TOO_LARGE (receipt, path, or extra for its buffer). */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_receipt_parse(const char *text, size_t length, uint8_t *extra_buffer,
                        size_t extra_capacity, struct accesslog_receipt *ret_receipt);

/* Checks a receipt for the leaf hash that its holder rebuilt: checkpoint signature, then path.
 * ret_checkpoint, ret_signed: may be NULL. Errors: as accesslog_checkpoint_open, and
 * ACCESSLOG_BAD_PROOF. */
ACCESSLOG_MUST_CHECK enum accesslog_status accesslog_receipt_check(
    const struct accesslog_receipt *receipt, const struct accesslog_hash *leaf_hash,
    const struct accesslog_verifier *known, size_t known_count,
    struct accesslog_checkpoint *ret_checkpoint, struct accesslog_signed *ret_signed);

/* The same from the parts of extra: header → D_header → leaf → path → checkpoint signature. */
ACCESSLOG_MUST_CHECK enum accesslog_status accesslog_receipt_check_entry(
    const struct accesslog_receipt *receipt, const void *header, size_t header_bytes,
    const uint8_t salt_header[ACCESSLOG_SALT_BYTES], const struct accesslog_hash *d_subject,
    const struct accesslog_verifier *known, size_t known_count,
    struct accesslog_checkpoint *ret_checkpoint, struct accesslog_signed *ret_signed);

/* ---- tiles ---- */

/* How many hashes tile (level, index) has in a tree of `size` leaves: 0 (no such tile) … 256.
 * level: 0 … 7, or ACCESSLOG_TILE_ENTRIES for the entry bundle. */
size_t accesslog_tile_width(int level, uint64_t index, uint64_t size);

/* Writes `tile/<L>/<N>[.p/<W>]` without a prefix; width: 1 … 256. */
size_t accesslog_tile_path_format(int level, uint64_t index, size_t width, char *ret_path,
                                  size_t capacity);

/* Parses such a path; only the one canonical form of each. Errors: ACCESSLOG_MALFORMED. */
ACCESSLOG_MUST_CHECK enum accesslog_status accesslog_tile_path_parse(const char *path,
                                                                     size_t length, int *ret_level,
                                                                     uint64_t *ret_index,
                                                                     size_t *ret_width);

/* Reads the content of a hash tile: width hashes, one after the other.
 * Errors: ACCESSLOG_BAD_INPUT (level, width), ACCESSLOG_STORAGE. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_tile_read(const struct accesslog_storage *storage, int level, uint64_t index,
                    size_t width, struct accesslog_hash ret_hashes[ACCESSLOG_TILE_WIDTH]);

/* Writes one element of an entry bundle: uint16 big-endian length, leaf bytes. Returns the bytes
 * written, 0 when they do not fit or leaf_bytes > 65535. */
size_t accesslog_bundle_put(const void *leaf, size_t leaf_bytes, uint8_t *ret_bundle,
                            size_t capacity);

/* Takes the next element at *offset of a bundle and moves the offset behind it.
 * Errors: ACCESSLOG_MALFORMED (cut short, also when nothing is left). */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_bundle_next(const uint8_t *bundle, size_t bundle_bytes, size_t *offset,
                      const uint8_t **ret_leaf, size_t *ret_leaf_bytes);

/* ---- witness ---- */

/* A request to add a checkpoint, taken apart. note points into the caller's bytes. */
struct accesslog_witness_request {
    uint64_t old_size;
    size_t proof_count;
    struct accesslog_hash proof[ACCESSLOG_WITNESS_PROOF_MAX];
    const char *note;
    size_t note_length;
};

/* Writes the body of add-checkpoint; ACCESSLOG_WITNESS_ROOM(note_length) bytes suffice. */
size_t accesslog_witness_format(uint64_t old_size, const struct accesslog_hash *proof,
                                size_t proof_count, const char *note, size_t note_length,
                                char *ret_body, size_t capacity);

/* Takes such a body apart. Verifies nothing. Errors: ACCESSLOG_MALFORMED, ACCESSLOG_TOO_LARGE. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_witness_parse(const char *body, size_t length,
                        struct accesslog_witness_request *ret_request);

/* Parses the body of a 409 answer: the size that the witness holds. Errors: ACCESSLOG_MALFORMED. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_witness_conflict_parse(const char *body, size_t length, uint64_t *ret_size);

/* ---- policies ---- */

#define ACCESSLOG_POLICY_LOGS_MAX 32u
#define ACCESSLOG_POLICY_WITNESSES_MAX 32u
#define ACCESSLOG_POLICY_GROUPS_MAX 32u
#define ACCESSLOG_POLICY_URL_MAX 1023u
#define ACCESSLOG_POLICY_BYTES_MAX 65536u

struct accesslog_policy_log {
    struct accesslog_verifier key;          /* its name is the log's origin */
    char url[ACCESSLOG_POLICY_URL_MAX + 1]; /* as written; "" if none */
};

struct accesslog_policy_witness {
    char name[ACCESSLOG_NAME_MAX + 1]; /* in this policy; any bytes but blanks */
    struct accesslog_verifier key;
    char url[ACCESSLOG_POLICY_URL_MAX + 1];
};

struct accesslog_policy_group {
    char name[ACCESSLOG_NAME_MAX + 1];
    unsigned threshold;
    uint64_t members; /* bits: witness i at i, group i at ACCESSLOG_POLICY_WITNESSES_MAX + i */
};

/* A policy (C2SP tlog-policy). About 90 KiB, so the caller keeps it on the heap. */
struct accesslog_policy {
    struct accesslog_policy_log logs[ACCESSLOG_POLICY_LOGS_MAX];
    size_t log_count;
    struct accesslog_policy_witness witnesses[ACCESSLOG_POLICY_WITNESSES_MAX];
    size_t witness_count;
    struct accesslog_policy_group groups[ACCESSLOG_POLICY_GROUPS_MAX];
    size_t group_count;
    uint64_t quorum; /* the bit of a witness or group; 0: none is needed */
};

/* Parses a policy file.
 * ret_policy: of no use on failure. ret_line: where it failed, from 1; 0: the file as a whole.
 * ret_reason: why, a constant text.
 * Errors: ACCESSLOG_MALFORMED, ACCESSLOG_TOO_LARGE. */
ACCESSLOG_MUST_CHECK enum accesslog_status
accesslog_policy_parse(const char *text, size_t length, struct accesslog_policy *ret_policy,
                       unsigned *ret_line, const char **ret_reason);

/* Whether these witnesses (bit i: witness i) make a quorum. */
bool accesslog_policy_reached(const struct accesslog_policy *policy, uint32_t witnesses);

#endif
