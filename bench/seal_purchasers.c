// SPDX-License-Identifier: Apache-2.0
#include "auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seals an invented purchaser for every sale id on standard input, as a tab-separated row of sale,
 * key and seal: bench/load.sql makes sales by the hundred thousand, and a trace must find seals
 * that open. usage: seal-purchasers KEYRING */

static int seal_one(const struct auth_keyring *keyring, const char *text)
{
    uint8_t sale[CT_UUID_BYTES];
    uint8_t sealed[1024];
    char hex[2 * sizeof sealed + 1];
    if (ct_uuid_parse(text, sale) != CT_OK)
        return 1;
    json_t *purchaser = json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s}}", "kind", "person",
        "given_name", "Indra", "family_name", "Lindqvist-Okafor", "date_of_birth", "1986-12-24",
        "address", "line1", "118 Cedar St", "city", "San Bernardino", "state", "CA", "postal_code",
        "92401", "id_document", "type", "driver_license", "number", text, "issuer", "CA");
    char *plain = purchaser == NULL ? NULL : ct_json_text(purchaser);
    json_decref(purchaser);
    size_t length = plain == NULL ? sizeof sealed : strlen(plain);
    if (length + AUTH_PURCHASER_OVERHEAD > sizeof sealed) {
        free(plain);
        return 1;
    }
    auth_purchaser_seal(keyring, sale, plain, length, sealed);
    free(plain);
    ct_hex_encode(sealed, length + AUTH_PURCHASER_OVERHEAD, hex);
    return printf("%s\t%s\t\\\\x%s\n", text, auth_keyring_purchaser_key(keyring), hex) < 0;
}

int main(int argc, char **argv)
{
    struct auth_keyring *keyring = NULL;
    struct ct_error err = {.text = "usage: seal-purchasers KEYRING"};
    char line[64];
    int failed = 0;
    if (auth_init() != CT_OK || argc != 2 ||
        auth_keyring_load(argv[1], AUTH_OWNER_SELF, &keyring, &err) != CT_OK) {
        (void)fprintf(stderr, "seal-purchasers: %s\n", err.text);
        return 2;
    }
    while (!failed && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        failed = seal_one(keyring, line);
    }
    auth_keyring_free(keyring);
    return failed || fflush(stdout) != 0;
}
