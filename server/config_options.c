// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <stddef.h>

#define AT(field) offsetof(struct config, field)

#define SERVED (CONFIG_FRONT)
#define KEPT (CONFIG_KEEPER)

/* In the order of the manual page. */
const struct config_option config_options[] = {
    {"server", "listen", CONFIG_ADDRESS, AT(listen), "127.0.0.1:8443", 0, SERVED, 0, 0,
     "address and port of the HTTPS listener"},
    {"server", "operator_listen", CONFIG_LOOPBACK, AT(operator_listen), "127.0.0.1:8444", 0, SERVED,
     0, 0, "loopback address and port of /livez, /readyz and /metrics, plain HTTP"},
    {"server", "tls_certificate", CONFIG_PATH, AT(tls_certificate), NULL, SERVED, SERVED, 0, 0,
     "certificate chain, PEM, the server's own first"},
    {"server", "tls_key", CONFIG_PATH, AT(tls_key), NULL, SERVED, SERVED, 0, 0,
     "private key of the certificate, PEM"},
    {"server", "threads", CONFIG_INTEGER, AT(threads), "2", 0, SERVED, 1, 64,
     "threads that speak TLS and HTTP"},
    {"server", "connection_limit", CONFIG_INTEGER, AT(connection_limit), "1024", 0, SERVED, 8,
     65536, "connections at once; more wait to be accepted"},
    {"server", "connections_per_address", CONFIG_INTEGER, AT(connections_per_address), "512", 0,
     SERVED, 1, 65536, "connections at once from one address; more are closed"},
    {"server", "front_user", CONFIG_STRING, AT(front_user), "casetrace-front", 0, CONFIG_PARENT, 0,
     0, "user of the front when started as root"},
    {"server", "keeper_user", CONFIG_STRING, AT(keeper_user), "casetrace", 0, CONFIG_PARENT, 0, 0,
     "user of the keeper when started as root"},
    {"server", "courier_user", CONFIG_STRING, AT(courier_user), "casetrace-front", 0, CONFIG_PARENT,
     0, 0, "user of the courier, which asks witnesses, when started as root"},
    {"database", "connection", CONFIG_STRING, AT(database), NULL, KEPT, KEPT, 0, 0,
     "how the keeper reaches PostgreSQL, a libpq connection string"},
    {"database", "owner_connection", CONFIG_STRING, AT(owner_database), NULL, CONFIG_TOOL,
     CONFIG_TOOL, 0, 0, "how casetrace init and migrate reach PostgreSQL"},
    {"keeper", "keyring", CONFIG_PATH, AT(keyring), NULL, KEPT | CONFIG_TOOL, KEPT | CONFIG_TOOL, 0,
     0, "file of keys, readable by the keeper's user alone"},
    {"keeper", "anchor", CONFIG_PATH, AT(anchor), NULL, KEPT, KEPT, 0, 0,
     "file of the last checkpoint released, in a folder that the keeper may write"},
    {"keeper", "name", CONFIG_NAME, AT(name), NULL, 0, KEPT, 0, 0,
     "this host in the log's takeover entries; the host's name when not given"},
    {"keeper", "batch_count", CONFIG_INTEGER, AT(batch_count), "256", 0, KEPT, 1, 256,
     "requests in one batch, at most"},
    {"keeper", "batch_weight", CONFIG_INTEGER, AT(batch_weight), "1024", 0, KEPT, 1, 16384,
     "rows and look-ups in one batch, at most"},
    {"keeper", "queue", CONFIG_INTEGER, AT(queue_count), "4096", 0, KEPT, 16, 65536,
     "requests that wait for a batch, at most"},
    {"keeper", "trace_budget_account", CONFIG_INTEGER, AT(trace_budget_account), "1000", 0, KEPT, 0,
     10000000, "units that one account may spend on traces a day, UTC; 0 for no limit"},
    {"keeper", "trace_budget_agency", CONFIG_INTEGER, AT(trace_budget_agency), "10000", 0, KEPT, 0,
     10000000, "units that all accounts of an agency may spend on traces a day; 0 for no limit"},
    {"keeper", "trace_no_match_limit", CONFIG_INTEGER, AT(trace_no_match_limit), "50", 0, KEPT, 0,
     10000000, "traces of one account a day that may find nothing; 0 for no limit"},
    {"keeper", "pi0", CONFIG_REAL, AT(pi0), "0.5", 0, KEPT, 0.001, 0.999,
     "prior probability that the firearm of a casing is not registered"},
    {"log", "public", CONFIG_BOOLEAN, AT(log_public), "yes", 0, KEPT, 0, 0,
     "whether the log's checkpoint and tiles are for everybody, or for auditors"},
    {"log", "tile_queue", CONFIG_INTEGER, AT(tile_queue), "64", 0, KEPT, 1, 4096,
     "requests for tiles that wait, at most"},
    {"log", "tile_cache", CONFIG_INTEGER, AT(tile_cache_bytes), "33554432", 0, KEPT, 0, 1073741824,
     "bytes of tiles that are kept in memory"},
    {"log", "policy", CONFIG_PATH, AT(policy), NULL, 0, KEPT | CONFIG_PARENT, 0, 0,
     "file that names the witnesses and their quorum"},
    {"log", "witness_interval_s", CONFIG_INTEGER, AT(witness_interval_s), "5", 0, KEPT, 1, 3600,
     "seconds from one round of asking the witnesses to the next"},
    {"log", "witness_alert_s", CONFIG_INTEGER, AT(witness_alert_s), "60", 0, KEPT, 1, 86400,
     "seconds without a quorum after which there is an alert"},
    {"log", "witness_required", CONFIG_BOOLEAN, AT(witness_required), "no", 0, KEPT, 0, 0,
     "whether requests are refused when there is no quorum for long"},
    {"log", "witness_stop_s", CONFIG_INTEGER, AT(witness_stop_s), "300", 0, KEPT, 1, 86400,
     "seconds without a quorum after which requests are refused, if one is required"},
    {"log", "witness_cacert", CONFIG_PATH, AT(witness_cacert), NULL, 0, CONFIG_COURIER, 0, 0,
     "certificates to trust in witnesses instead of the system's, PEM"},
};

const size_t config_option_count = CT_ARRAY_LENGTH(config_options);

_Static_assert(CT_ARRAY_LENGTH(config_options) <= CONFIG_OPTIONS_MAX, "raise CONFIG_OPTIONS_MAX");
