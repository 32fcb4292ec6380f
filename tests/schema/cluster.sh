# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of this folder: a private PostgreSQL cluster in a
# folder of its own, on a Unix socket, gone when the script ends.

cluster_dir=
cluster_bin=/usr/lib/postgresql/15/bin
[ -x "$cluster_bin/initdb" ] || cluster_bin=$(pg_config --bindir)

# PostgreSQL refuses to run as root.
cluster_run() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all env HOME=/nonexistent "$@")
    else
        (cd / && "$@")
    fi
}

cluster_stop() {
    [ -n "$cluster_dir" ] || return 0
    if [ -s "$cluster_dir/data/postmaster.pid" ]; then
        cluster_run "$cluster_bin/pg_ctl" -D "$cluster_dir/data" -m immediate -w stop >/dev/null ||
            echo "cluster: PostgreSQL in $cluster_dir did not stop" >&2
    fi
    rm -rf "$cluster_dir"
    cluster_dir=
}

# Sets PGHOST; the superuser is postgres. Roles are there, no database is.
cluster_start() {
    cluster_dir=$(mktemp -d "${TMPDIR:-/tmp}/casetrace-schema.XXXXXX")
    trap cluster_stop EXIT
    trap 'exit 130' INT TERM
    if [ "$(id -u)" -eq 0 ]; then
        chown nobody:nogroup "$cluster_dir"
    fi
    cluster_run "$cluster_bin/initdb" -D "$cluster_dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
        --no-sync --no-instructions >"$cluster_dir/initdb.log" 2>&1 || { cat "$cluster_dir/initdb.log" >&2; return 1; }
    cluster_run "$cluster_bin/pg_ctl" -D "$cluster_dir/data" -w -t 60 -l "$cluster_dir/data/log" \
        -o "-k '$cluster_dir' -c listen_addresses='' -c fsync=off -c jit=off" start >/dev/null ||
        { cat "$cluster_dir/data/log" >&2; return 1; }
    export PGHOST=$cluster_dir PGPORT=5432
    unset PGDATABASE PGUSER PGPASSWORD PGSERVICE PGOPTIONS
    cluster_psql -d postgres -f "$cluster_source/migrations/roles.sql"
}

cluster_psql() {
    psql -X -q -v ON_ERROR_STOP=1 -U postgres "$@"
}

# cluster_database NAME: an empty database of the owner.
cluster_database() {
    cluster_psql -d postgres -c "CREATE DATABASE $1 OWNER casetrace_owner"
}

# cluster_migrate TOOL NAME: casetrace migrate on that database, from the source tree.
cluster_migrate() {
    "$1" migrate --owner-connection "host=$PGHOST port=$PGPORT user=casetrace_owner dbname=$2" \
        --schema "$cluster_source/schema" --migrations "$cluster_source/migrations"
}

cluster_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
