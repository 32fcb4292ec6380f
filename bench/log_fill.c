// SPDX-License-Identifier: Apache-2.0
#include "accesslog/accesslog.h"
#include "auth/auth.h"

#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Makes a valid access log of millions of entries, signed by a keyring: rows that go on where a log
 * in a database ends, or the log's public view in a folder.
 *
 *   log-fill --keyring FILE --entries N --size S --frontier HEX --epoch E --time MS --server NAME
 *            --account ACC --organization ORG --rest FILE      > rows of log_entry, COPY binary
 *   log-fill --keyring FILE --entries N --view DIR [--export FILE]
 *
 * --entries is the size that the log then has. --rest: the statements that store all but the
 * entries, to be run after them in psql. --export: the entries as lines of JSON. */

#define BATCH 256u
#define HEADER_MAX 1024
#define SUBJECT "{\"address\":\"127.0.0.1\",\"query\":{},\"touched\":{}}"
#define LEVELS 4 /* of tiles */

struct options {
    const char *keyring, *frontier, *server, *account, *organization, *rest, *view, *export;
    uint64_t entries, size;
    int64_t epoch, time_ms;
};

struct fill {
    struct options options;
    struct auth_keyring *keyring;
    struct accesslog_batch batch;
    FILE *rest;
    FILE *export;
    struct ct_buf subtrees; /* rows, until those of log_batch are written */
    uint8_t random[4096 * 64];
    size_t random_used;
    /* The view's tiles that are not full yet. */
    uint8_t tiles[LEVELS][ACCESSLOG_TILE_WIDTH * ACCESSLOG_HASH_BYTES];
    size_t widths[LEVELS];
    uint64_t indexes[LEVELS];
    uint8_t bundle[ACCESSLOG_TILE_WIDTH * (ACCESSLOG_LEAF_BYTES + 2)];
    size_t bundle_bytes;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "log-fill: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void put(FILE *stream, const void *bytes, size_t count)
{
    if (fwrite(bytes, 1, count, stream) != count)
        fail("write");
}

/* ---- COPY binary -------------------------------------------------------------------------------
 */

static void put_field(const void *bytes, size_t count)
{
    uint32_t length = htobe32((uint32_t)count);
    put(stdout, &length, sizeof length);
    put(stdout, bytes, count);
}

static void put_head(void)
{
    static const uint8_t head[19] = "PGCOPY\n\377\r\n\0";
    put(stdout, head, sizeof head);
}

static void put_end(void)
{
    uint16_t end = 0xffff;
    put(stdout, &end, sizeof end);
}

static void put_sealed(const struct fill *fill, enum auth_subject_part part, const uint8_t *batch,
                       uint32_t ordinal, const void *plain, size_t length)
{
    uint8_t sealed[512];
    auth_subject_seal(fill->keyring, part, batch, ordinal, plain, length, sealed);
    put_field(sealed, length + AUTH_SUBJECT_OVERHEAD);
}

/* ---- entries ----------------------------------------------------------------------------------
 */

struct entry {
    char header[HEADER_MAX];
    size_t header_bytes;
    const uint8_t *salts; /* of header and subject */
    struct accesslog_entry made;
};

/* A thousand entries a millisecond, so that none lies in the future when the last is there. */
static int64_t time_of(const struct fill *fill, uint64_t index)
{
    return fill->options.time_ms + (int64_t)((index - fill->options.size) / 1000);
}

static void make_entry(struct fill *fill, uint64_t index, struct entry *ret)
{
    const struct options *o = &fill->options;
    char time[CT_TIME_TEXT];
    ct_time_format(time_of(fill, index), time);
    int length =
        snprintf(ret->header, sizeof ret->header,
                 "{\"account\":\"%s\",\"epoch\":%lld,\"licence\":\"CA0000001\","
                 "\"operation\":\"get_me\",\"organization\":\"%s\",\"origin\":\"%s\","
                 "\"outcome\":\"ok\",\"request_id\":\"req_%032llx\",\"role\":\"auditor\","
                 "\"server\":\"%s\",\"status\":200,\"time\":\"%s\",\"v\":1}",
                 o->account, (long long)o->epoch, o->organization,
                 auth_keyring_origin(fill->keyring), (unsigned long long)index, o->server, time);
    if (length < 0 || (size_t)length >= sizeof ret->header)
        fail("header");
    ret->header_bytes = (size_t)length;
    if (fill->random_used == sizeof fill->random) {
        randombytes_buf(fill->random, sizeof fill->random);
        fill->random_used = 0;
    }
    ret->salts = &fill->random[fill->random_used];
    fill->random_used += 2 * ACCESSLOG_SALT_BYTES;
    accesslog_entry_commit(ret->header, ret->header_bytes, ret->salts, SUBJECT, sizeof SUBJECT - 1,
                           ret->salts + ACCESSLOG_SALT_BYTES, &ret->made);
}

static void put_entry(const struct fill *fill, const struct entry *entry, uint64_t index,
                      const uint8_t *batch, uint32_t ordinal)
{
    uint16_t fields = htobe16(7);
    uint64_t place = htobe64(index);
    put(stdout, &fields, sizeof fields);
    put_field(&place, sizeof place);
    put_field(entry->made.leaf_hash.bytes, ACCESSLOG_HASH_BYTES);
    put_field(entry->header, entry->header_bytes);
    put_field(entry->salts, ACCESSLOG_SALT_BYTES);
    put_field(entry->made.d_subject.bytes, ACCESSLOG_HASH_BYTES);
    put_sealed(fill, AUTH_SUBJECT, batch, ordinal, SUBJECT, sizeof SUBJECT - 1);
    put_sealed(fill, AUTH_SUBJECT_SALT, batch, ordinal, entry->salts + ACCESSLOG_SALT_BYTES,
               ACCESSLOG_SALT_BYTES);
}

static void export_entry(const struct fill *fill, const struct entry *entry, uint64_t index)
{
    struct ct_buf line;
    char salt[2][2 * ACCESSLOG_SALT_BYTES + 1];
    char d_subject[2 * ACCESSLOG_HASH_BYTES + 1];
    for (size_t i = 0; i < 2; i++)
        ct_hex_encode(entry->salts + i * ACCESSLOG_SALT_BYTES, ACCESSLOG_SALT_BYTES, salt[i]);
    ct_hex_encode(entry->made.d_subject.bytes, ACCESSLOG_HASH_BYTES, d_subject);
    ct_buf_init(&line, 8192);
    ct_json_write_open(&line, NULL, '{');
    ct_json_write_int(&line, "index", (int64_t)index);
    ct_json_write_text(&line, "header", entry->header);
    ct_json_write_text(&line, "header_salt", salt[0]);
    ct_json_write_text(&line, "d_subject", d_subject);
    ct_json_write_text(&line, "subject", SUBJECT);
    ct_json_write_text(&line, "subject_salt", salt[1]);
    ct_json_write_close(&line, '}');
    if (line.failed || fprintf(fill->export, "%.*s\n", (int)line.length, (char *)line.data) < 0)
        fail("export");
    ct_buf_free(&line);
}

/* ---- the view ---------------------------------------------------------------------------------
 */

static void write_file(const struct fill *fill, const char *path, const void *bytes, size_t count)
{
    char name[4096];
    (void)snprintf(name, sizeof name, "%s/%s", fill->options.view, path);
    for (char *c = name + strlen(fill->options.view); *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        if (mkdir(name, 0777) != 0 && errno != EEXIST)
            fail(name);
        *c = '/';
    }
    FILE *file = fopen(name, "wb");
    if (file == NULL)
        fail(name);
    put(file, bytes, count);
    if (fclose(file) != 0)
        fail(name);
}

static void write_tile(struct fill *fill, int level, uint64_t index, size_t width,
                       const void *bytes, size_t count)
{
    char path[ACCESSLOG_TILE_PATH_MAX];
    if (accesslog_tile_path_format(level, index, width, path, sizeof path) == 0)
        fail("path");
    write_file(fill, path, bytes, count);
}

/* A hash of a level of tiles; a full tile gives one of the level above. */
static void add_hash(struct fill *fill, unsigned level, const struct accesslog_hash *hash)
{
    struct accesslog_tree tree = {.size = 0};
    struct accesslog_hash root;
    if (level == LEVELS)
        return;
    memcpy(fill->tiles[level] + fill->widths[level]++ * sizeof *hash, hash, sizeof *hash);
    if (fill->widths[level] < ACCESSLOG_TILE_WIDTH)
        return;
    for (size_t i = 0; i < ACCESSLOG_TILE_WIDTH; i++) {
        memcpy(&root, fill->tiles[level] + i * sizeof root, sizeof root);
        accesslog_tree_append(&tree, &root);
    }
    accesslog_tree_root(&tree, &root);
    write_tile(fill, (int)level, fill->indexes[level]++, ACCESSLOG_TILE_WIDTH, fill->tiles[level],
               sizeof fill->tiles[level]);
    fill->widths[level] = 0;
    add_hash(fill, level + 1, &root);
}

static void view_entry(struct fill *fill, const struct entry *entry, uint64_t index)
{
    fill->bundle_bytes += accesslog_bundle_put(entry->made.leaf, ACCESSLOG_LEAF_BYTES,
                                               fill->bundle + fill->bundle_bytes,
                                               sizeof fill->bundle - fill->bundle_bytes);
    if (fill->bundle_bytes == sizeof fill->bundle) {
        write_tile(fill, ACCESSLOG_TILE_ENTRIES, index / ACCESSLOG_TILE_WIDTH, ACCESSLOG_TILE_WIDTH,
                   fill->bundle, fill->bundle_bytes);
        fill->bundle_bytes = 0;
    }
    add_hash(fill, 0, &entry->made.leaf_hash);
}

static void view_end(struct fill *fill, const char *note, size_t length)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        if (fill->widths[level] != 0)
            write_tile(fill, (int)level, fill->indexes[level], fill->widths[level],
                       fill->tiles[level], fill->widths[level] * ACCESSLOG_HASH_BYTES);
    }
    if (fill->bundle_bytes != 0)
        write_tile(fill, ACCESSLOG_TILE_ENTRIES, fill->indexes[0], fill->widths[0], fill->bundle,
                   fill->bundle_bytes);
    write_file(fill, "checkpoint", note, length);
}

/* ---- batches ----------------------------------------------------------------------------------
 */

static void put_batch(struct fill *fill, const uint8_t *id)
{
    char uuid[CT_UUID_TEXT];
    char root[2 * ACCESSLOG_HASH_BYTES + 1];
    char at[CT_TIME_TEXT];
    const struct accesslog_batch *batch = &fill->batch;
    ct_uuid_format(id, uuid);
    ct_hex_encode(batch->root.bytes, sizeof batch->root.bytes, root);
    ct_time_format(time_of(fill, batch->first), at);
    (void)fprintf(fill->rest, "%s\t%llu\t%zu\t%llu\t\\\\x%s\t%lld\t%s\n", uuid,
                  (unsigned long long)batch->first, batch->count,
                  (unsigned long long)batch->tree.size, root, (long long)fill->options.epoch, at);
    for (size_t i = 0; i < batch->subtree_count; i++) {
        const struct accesslog_subtree *subtree = &batch->subtrees[i];
        char row[128];
        ct_hex_encode(subtree->hash.bytes, sizeof subtree->hash.bytes, root);
        int length = snprintf(row, sizeof row, "%u\t%llu\t\\\\x%s\n", subtree->level,
                              (unsigned long long)subtree->index, root);
        if (ct_buf_append(&fill->subtrees, row, (size_t)length) != CT_OK)
            fail("subtrees");
    }
}

static void make_batch(struct fill *fill)
{
    struct accesslog_hash leaves[BATCH];
    struct entry entry;
    uint8_t id[CT_UUID_BYTES];
    uint64_t first = fill->batch.tree.size;
    size_t count = fill->options.entries - first < BATCH ? fill->options.entries - first : BATCH;
    randombytes_buf(id, sizeof id);
    for (size_t i = 0; i < count; i++) {
        make_entry(fill, first + i, &entry);
        leaves[i] = entry.made.leaf_hash;
        if (fill->options.view != NULL)
            view_entry(fill, &entry, first + i);
        else
            put_entry(fill, &entry, first + i, id, (uint32_t)i + 1);
        if (fill->export != NULL)
            export_entry(fill, &entry, first + i);
    }
    if (accesslog_batch_append(&fill->batch.tree, leaves, count, &fill->batch) != ACCESSLOG_OK)
        fail("batch");
    if (fill->rest != NULL)
        put_batch(fill, id);
}

static size_t sign(const struct fill *fill, char *ret_note, size_t room)
{
    struct auth_log_key key;
    struct accesslog_signer signer;
    struct accesslog_checkpoint checkpoint = {.size = fill->batch.tree.size,
                                              .root = fill->batch.root};
    auth_keyring_log_key(fill->keyring, 0, &key);
    (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s", key.name);
    size_t length = 0;
    if (accesslog_signer_init(key.name, ACCESSLOG_KEY_ED25519, key.seed, &signer) == ACCESSLOG_OK)
        length = accesslog_checkpoint_sign(&checkpoint, &signer, 1, ret_note, room);
    accesslog_signer_wipe(&signer);
    if (length == 0)
        fail("signature");
    return length;
}

/* All but the entries; what the background would fill is there as well. */
static void put_rest(struct fill *fill, const char *note)
{
    const struct options *o = &fill->options;
    uint8_t frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
    char hex[2 * ACCESSLOG_FRONTIER_BYTES_MAX + 1];
    char at[CT_TIME_TEXT];
    const char *line = strstr(note, "\n\n") + 2;
    ct_hex_encode(frontier, accesslog_tree_pack(&fill->batch.tree, frontier), hex);
    ct_time_format(o->time_ms, at);
    (void)fprintf(fill->rest, "\\.\nCOPY registry.log_subtree (level, idx, hash) FROM stdin;\n");
    put(fill->rest, fill->subtrees.data, fill->subtrees.length);
    (void)fprintf(fill->rest,
                  "\\.\nCOPY registry.log_signature (size, name, line) FROM stdin;\n"
                  "%llu\t%s\t%.*s\\n\n\\.\n",
                  (unsigned long long)fill->batch.tree.size, auth_keyring_origin(fill->keyring),
                  (int)strcspn(line, "\n"), line);
    (void)fprintf(fill->rest, "UPDATE registry.log_head SET size = %llu, frontier = '\\x%s';\n",
                  (unsigned long long)fill->batch.tree.size, hex);
    (void)fprintf(fill->rest,
                  "INSERT INTO registry.log_search (idx, at, account_id, organization_id, "
                  "operation, outcome) SELECT i, '%s'::timestamptz + (i - %llu) / 1000 * interval "
                  "'1 ms', '%s'::uuid, '%s'::uuid, 'get_me', 'ok' FROM generate_series(%llu, %llu) "
                  "AS i;\nUPDATE registry.fill_state SET complete_to = %llu, at = now() WHERE name "
                  "IN ('log_search', 'trace_search');\n",
                  at, (unsigned long long)o->size, o->account + 4, o->organization + 4,
                  (unsigned long long)o->size, (unsigned long long)fill->batch.tree.size - 1,
                  (unsigned long long)fill->batch.tree.size);
    if (fclose(fill->rest) != 0)
        fail(o->rest);
}

/* ---- the command line ---------------------------------------------------------------------------
 */

static void parse(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {{"keyring", 1, 0, 'k'},
                                          {"entries", 1, 0, 'n'},
                                          {"size", 1, 0, 's'},
                                          {"frontier", 1, 0, 'f'},
                                          {"epoch", 1, 0, 'e'},
                                          {"time", 1, 0, 't'},
                                          {"server", 1, 0, 'S'},
                                          {"account", 1, 0, 'a'},
                                          {"organization", 1, 0, 'o'},
                                          {"rest", 1, 0, 'r'},
                                          {"view", 1, 0, 'v'},
                                          {"export", 1, 0, 'x'},
                                          {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char **texts[] = {
            ['k'] = &o->keyring,      ['f'] = &o->frontier, ['S'] = &o->server, ['a'] = &o->account,
            ['o'] = &o->organization, ['r'] = &o->rest,     ['v'] = &o->view,   ['x'] = &o->export};
        if (c == 'n')
            o->entries = strtoull(optarg, NULL, 10);
        else if (c == 's')
            o->size = strtoull(optarg, NULL, 10);
        else if (c == 'e')
            o->epoch = strtoll(optarg, NULL, 10);
        else if (c == 't')
            o->time_ms = strtoll(optarg, NULL, 10);
        else if (c == '?')
            exit(2);
        else
            *texts[c] = optarg;
    }
    if (o->keyring == NULL || o->entries <= o->size || (o->view == NULL) == (o->rest == NULL) ||
        (o->rest != NULL && (o->frontier == NULL || o->account == NULL || o->organization == NULL ||
                             o->server == NULL))) {
        (void)fprintf(stderr, "log-fill: the head of its source says what it needs\n");
        exit(2);
    }
}

static void begin(struct fill *fill)
{
    struct options *o = &fill->options;
    struct ct_error err = {.text = ""};
    uint8_t frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
    size_t length = o->frontier == NULL ? 0 : strlen(o->frontier) / 2;
    if (auth_init() != CT_OK ||
        auth_keyring_load(o->keyring, AUTH_OWNER_SELF, &fill->keyring, &err) != CT_OK) {
        (void)fprintf(stderr, "log-fill: %s\n", err.text);
        exit(2);
    }
    if (length > sizeof frontier ||
        (length != 0 && ct_hex_decode(o->frontier, 2 * length, frontier, length) != CT_OK) ||
        accesslog_tree_unpack(o->size, frontier, length, &fill->batch.tree) != ACCESSLOG_OK)
        fail("the frontier is not that of the size");
    fill->random_used = sizeof fill->random;
    ct_buf_init(&fill->subtrees, (size_t)1 << 30);
    if (o->view != NULL) {
        o->server = "bench";
        o->account = "acc_00000000000000000000000000000001";
        o->organization = "org_00000000000000000000000000000001";
        o->time_ms = ct_now_ms();
    }
    if (o->rest != NULL && (fill->rest = fopen(o->rest, "wb")) == NULL)
        fail(o->rest);
    if (o->export != NULL && (fill->export = fopen(o->export, "wb")) == NULL)
        fail(o->export);
}

int main(int argc, char **argv)
{
    static struct fill fill;
    char note[2048];
    parse(argc, argv, &fill.options);
    begin(&fill);
    if (fill.rest != NULL) {
        put_head();
        (void)fprintf(fill.rest, "COPY registry.log_batch (batch_id, first_idx, count, size, root, "
                                 "epoch, at) FROM stdin;\n");
    }
    while (fill.batch.tree.size < fill.options.entries)
        make_batch(&fill);
    size_t length = sign(&fill, note, sizeof note);
    if (fill.rest != NULL) {
        put_rest(&fill, note);
        put_end();
    } else {
        view_end(&fill, note, length);
    }
    ct_buf_free(&fill.subtrees);
    auth_keyring_free(fill.keyring);
    return fflush(stdout) != 0 || (fill.export != NULL && fclose(fill.export) != 0);
}
