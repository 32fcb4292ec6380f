# SPDX-License-Identifier: Apache-2.0
"""The view of the log below /log/, read by a client of the public formats that knows nothing of ours."""

import concurrent.futures
import gzip
import os
import re
import signal
import subprocess
import tempfile
import time

import pytest

import tiles
import tlog
from client import ANY, Api, Client, People
from instance import TOP, Instance, wait_for
from loaded_log import Loader

KNOWN = TOP / "tests/data/kat/log300"
SIZES = [1, 255, 256, 257, 65_535, 65_536, 70_000]
BETWEEN = [65_800, 69_990]  # published too; the first one's last tile is full at 70,000
OPEN_TILE = "public, max-age=31536000, immutable"


def fetcher(client):
    """fetch(path) of the tiles' client, over HTTPS, every answer held against the contract."""
    def fetch(path):
        reply = client.get("/log/" + path, expect=ANY)
        assert reply.status in (200, 404), f"{path}: {reply}"
        return reply.content if reply.status == 200 else None
    return fetch


def test_the_client_itself():
    """Known answers of a log of 300 entries that another program made; and each fault in it is seen."""
    files = {str(path.relative_to(KNOWN)): path.read_bytes() for path in KNOWN.rglob("*") if path.is_file()}
    key = files["vkeys.txt"].decode().splitlines()[0]
    tree = tiles.Log(files.get, key).tree()
    assert tree.size == 300 and tree.leaves[299] == b"entry 299"
    log = tiles.Log(files.get, key)
    log.check_extends(tiles.open_checkpoint(files["checkpoint.old"], key), log.checkpoint())
    for name in sorted(files):
        if not name.startswith("tile/"):
            continue
        for spoilt in (files[name][:-1], bytes([files[name][0] ^ 1]) + files[name][1:], None):
            with pytest.raises(tiles.Wrong):
                tiles.Log({**files, name: spoilt}.get, key).tree()
    with pytest.raises(Exception):
        tiles.open_checkpoint(files["checkpoint"].replace(b"\n300\n", b"\n299\n"), key)


@pytest.fixture(scope="module")
def loaded():
    with tempfile.TemporaryDirectory(prefix="casetrace-tiles-") as folder:
        os.chmod(folder, 0o755)  # as root the parts run as other users
        instance = Instance(folder, settings=["log.tile_queue=4", "log.tile_cache=100000"], pg=["fsync=off"])
        try:
            instance.prepare()
            instance.start_database()
            instance.setup()
            loader = Loader(instance, 70_100, [*SIZES, *BETWEEN])
            yield loader
        finally:
            instance.stop()
        assert not instance.log_findings()


@pytest.fixture(scope="module")
def reader(loaded, contract):
    key = tlog.VerifierKey((loaded.instance.folder / "verifier.key").read_text().splitlines()[0])
    return Client(Api(loaded.instance, contract, key))


@pytest.fixture(scope="module")
def log(loaded, reader):
    return tiles.Log(fetcher(reader), (loaded.instance.folder / "verifier.key").read_text().splitlines()[0])


def restart(loaded, sizes, minutes_ago=0):
    loaded.instance.stop_daemon()
    loaded.publish(sizes, minutes_ago)
    loaded.instance.start_daemon()
    loaded.instance.wait_ready()


def metric(instance, name):
    return float(re.search(rf"^casetrace_{name} (\S+)$", instance.metrics(), re.M)[1])


@pytest.mark.parametrize("size", SIZES)
def test_everything_verifies(loaded, log, reader, size):
    """After a restart the last published checkpoint is served again, with all that belongs to it and nothing else."""
    restart(loaded, [s for s in SIZES if s <= size])
    assert log.need("checkpoint").decode() == loaded.note(size)
    tree = log.tree()
    assert tree.size == size and tree.leaves[1:] == loaded.leaves[:size - 1]
    # What no published checkpoint has is not there: nothing empty, nothing wider, nothing further on.
    for level in (0, "entries"):
        number, width = divmod(size, 256)
        wrong = [tiles.tile_path(level, number, w) for w in (width - 1, width + 1, 255) if w > 0 and w not in (width, 256)]
        known = {s - number * 256 for s in SIZES if number * 256 < s <= size}
        wrong = [path for path in wrong if not any(path.endswith(f".p/{w}") for w in known)]
        for path in [*wrong, tiles.tile_path(level, number), tiles.tile_path(level, number) + ".p/0",
                     tiles.tile_path(level, number) + ".p/256", tiles.tile_path(level, number + 1),
                     tiles.tile_path(level, number + 1, 1)]:
            assert log.fetch(path) is None, path
    above = next(level for level in range(1, 9) if size >> (8 * level) == 0)
    for path in (tiles.tile_path(above, 0), tiles.tile_path(above, 0, 1)):
        assert log.fetch(path) is None, path


def test_partial_tiles_of_all_published_sizes(loaded, log):
    restart(loaded, [*SIZES, *BETWEEN])
    assert 69_990 // 256 == 70_000 // 256 == 273
    for level in (0, "entries"):
        whole = log.need(tiles.tile_path(level, 273, 112))
        part = log.need(tiles.tile_path(level, 273, 102))
        assert part and whole.startswith(part)
        for width in (101, 103, 111, 113):
            assert log.fetch(tiles.tile_path(level, 273, width)) is None, width
        # 65,800 was published too, but that tile is full by now.
        assert log.fetch(tiles.tile_path(level, 257, 8)) is None and log.need(tiles.tile_path(level, 257))
    # Level 1: 257 hashes at 65,800, 273 now, both in its second tile; 256 made the first one full.
    assert len(log.need(tiles.tile_path(1, 1, 1))) == 32 and len(log.need(tiles.tile_path(1, 1, 17))) == 17 * 32
    assert log.fetch(tiles.tile_path(1, 1, 2)) is None and log.fetch(tiles.tile_path(1, 0, 255)) is None
    assert len(log.need(tiles.tile_path(2, 0, 1))) == 32


def test_consistency_by_tiles_alone(loaded, log, reader):
    restart(loaded, [*SIZES, *BETWEEN])
    checkpoints = [tiles.open_checkpoint(loaded.note(size).encode(), log.key) for size in sorted([*SIZES, *BETWEEN])]
    newest = log.checkpoint()
    assert newest == checkpoints[-1]
    for old in checkpoints:
        log.check_extends(old, newest)
    with pytest.raises(tiles.Wrong):
        log.check_extends((newest[0], 65_536, checkpoints[0][2]), newest)


@pytest.mark.parametrize("path", [
    "0", "0/", "0/0", "0/00", "0/0000", "0/000/", "0//000", "8/000", "-1/000", "00/000", "0/x000/000", "0/x000", "0/001/000",
    "0/x001/x000", "0/x1/000", "0/000.p", "0/000.p/", "0/000.p/01", "0/000.p/256", "0/000.p/1/", "0/000.p/-1", "Entries/000",
    "entries", "entries/0", "data/000", "0/000.P/1", "0/000,p/1", "0/x999/x999/x999/x999/x999/x999/999", "0/" + "x999/" * 40 + "000"])
def test_what_is_not_a_tile(loaded, reader, path):
    if loaded.instance.daemon is None:
        restart(loaded, SIZES)
    assert reader.get("/log/tile/" + path, expect=ANY).status in ((400, 404) if "//" in path else (404,)), path


def test_forms_and_headers(loaded, reader):
    restart(loaded, SIZES)
    reply = reader.get("/log/checkpoint")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Cache-Control"] == "public, max-age=10"
    for path in ("0/000", "0/273.p/112", "1/000", "entries/000", "entries/273.p/112"):
        for accept, packed in (("gzip", True), ("deflate, gzip;q=0.5", True), ("identity", False), ("gzip;q=0", False),
                               ("br, gzip ; q=0.000", False), ("GZIP", True)):
            packed = packed and path.startswith("entries")
            reply = reader.get("/log/tile/" + path, headers={"Accept-Encoding": accept})
            assert reply.headers["Content-Type"] == "application/octet-stream"
            assert reply.headers["Cache-Control"] == OPEN_TILE
            assert reply.headers.get("Content-Encoding") == ("gzip" if packed else None), (path, accept)
            assert reply.headers.get("Vary") == ("Accept-Encoding" if path.startswith("entries") else None)
            assert "Access-Log-Entry" not in reply.headers
            width = 112 if "273" in path else 256
            assert len(reply.content) == width * (35 if path.startswith("entries") else 32)
    assert reader.get("/log/tile/0/999", expect="not_found").headers["Cache-Control"] == "no-store"
    # As it comes over the wire, and not as a library unpacks it.
    wire = subprocess.run(["curl", "-sS", "--cacert", loaded.instance.certificate, "-H", "Accept-Encoding: gzip",
                           loaded.instance.url + "/log/tile/entries/000"], check=True, capture_output=True).stdout
    plain = reader.get("/log/tile/entries/000", headers={"Accept-Encoding": "identity"}).content
    assert wire[:2] == b"\x1f\x8b" and gzip.decompress(wire) == plain != wire


def test_a_restart_neither_goes_back_nor_ahead(loaded, log, reader):
    """The keeper publishes when the minute is over, remembers it, and killed it shows the same again."""
    instance = loaded.instance
    restart(loaded, SIZES, minutes_ago=2)
    size = wait_for(lambda: (s := log.checkpoint()[1]) > 70_000 and s, 10, "a newer checkpoint")
    note = log.need("checkpoint").decode()
    assert instance.psql("SELECT size, note FROM registry.log_published ORDER BY size DESC LIMIT 1") == f"{size}|{note}".strip()
    shown = log.need(tiles.tile_path(0, size // 256, size % 256))
    admin = Client(reader.api, instance.administrator_key)
    for _ in range(5):
        admin.get("/v1/me")  # the log goes on, what is shown of it does not
    os.kill(instance.keeper_pid, signal.SIGKILL)
    wait_for(lambda: instance.readiness()[0] != 200, 10, "the keeper gone")
    instance.wait_ready()
    # The lists are filled after it was looked whether something is to be published.
    wait_for(lambda: instance.psql("SELECT complete_to >= size FROM registry.fill_state, registry.log_head WHERE name = 'log_search'") == "t",
             30, "lists that are complete")
    assert log.need("checkpoint").decode() == note
    assert log.need(tiles.tile_path(0, size // 256, size % 256)) == shown
    assert len(log.need(tiles.tile_path(0, 273, 112))) == 112 * 32 or size // 256 > 273
    assert log.fetch(tiles.tile_path(0, size // 256, size % 256 + 1)) is None
    assert metric(instance, "log_size") > size == metric(instance, "log_published_size")


def test_the_cache_is_bounded_and_used(loaded, reader):
    restart(loaded, SIZES)
    for number in range(40):
        reader.get("/log/" + tiles.tile_path(0, number))
        assert metric(loaded.instance, "tile_cache_bytes") <= 100_000
    assert metric(loaded.instance, "tile_cache_bytes") > 50_000
    before = metric(loaded.instance, "tiles_read_total")
    for _ in range(5):
        reader.get("/log/" + tiles.tile_path(0, 39))
    assert metric(loaded.instance, "tiles_read_total") == before
    reader.get("/log/" + tiles.tile_path(0, 0))  # was given up for others
    assert metric(loaded.instance, "tiles_read_total") == before + 1


def test_a_flood_waits_by_itself(loaded, reader):
    """While the tiles' thread cannot go on, its queue is full and says so; nothing else is kept waiting."""
    instance = loaded.instance
    restart(loaded, SIZES)
    admin = Client(reader.api, instance.administrator_key)
    holder = subprocess.Popen(instance.command("psql", "-d", "casetrace", "-q"), stdin=subprocess.PIPE, text=True)
    try:
        # Read for tiles above level 0 alone; written once in 256 entries.
        holder.stdin.write("BEGIN; LOCK TABLE registry.log_subtree IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        wait_for(lambda: instance.psql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND "
                                       "relation = 'registry.log_subtree'::regclass") == "1", 10, "the lock")
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            flood = [pool.submit(reader.get, "/log/tile/1/000", expect=ANY) for _ in range(30)]
            wait_for(lambda: metric(instance, "tiles_refused_total") >= 10, 10, "a full queue")
            slowest = 0
            for _ in range(20):
                start = time.monotonic()
                admin.get("/v1/me")
                slowest = max(slowest, time.monotonic() - start)
            assert reader.get("/log/checkpoint").status == 200
            holder.stdin.write("ROLLBACK;\n")
            holder.stdin.close()
            replies = [future.result() for future in flood]
    finally:
        if not holder.stdin.closed:
            holder.stdin.close()
        holder.wait()
    refused = [reply for reply in replies if reply.code == "overloaded"]
    assert len(refused) >= 10 and all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)
    assert all(reply.status in (200, 503) for reply in replies)
    assert slowest < 1, "one lock wait of the tiles' thread would be two seconds"
    wait_for(lambda: reader.get("/log/tile/1/000", expect=ANY).status == 200, 10, "tiles again")


def test_its_connection_changes_nothing(loaded, reader):
    """Whatever a function that it calls might do: the session itself is read-only."""
    restart(loaded, SIZES)
    definition = loaded.instance.psql("SELECT pg_get_functiondef('api.log_leaves(bigint, integer)'::regprocedure)")
    body = "BEGIN INSERT INTO registry.written VALUES (first); RETURN; END"
    loaded.instance.psql("CREATE TABLE registry.written (first bigint); GRANT INSERT ON registry.written TO casetrace_registry; "
                         "CREATE OR REPLACE FUNCTION api.log_leaves(first bigint, count integer) RETURNS TABLE (idx bigint, header bytea, "
                         "header_salt bytea, d_subject bytea) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
                         f"AS $${body}$$")
    try:
        reader.get("/log/tile/entries/100", expect="database_unavailable")
        assert loaded.instance.psql("SELECT count(*) FROM registry.written") == "0"
    finally:
        loaded.instance.psql(definition)
    wait_for(lambda: reader.get("/log/tile/entries/100", expect=ANY).status == 200, 10, "bundles again")


# ---- closed ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed(contract):
    with tempfile.TemporaryDirectory(prefix="casetrace-closed-") as folder:
        os.chmod(folder, 0o755)
        instance = Instance(folder, settings=["log.public=no"])
        try:
            instance.start()
            key = tlog.VerifierKey((instance.folder / "verifier.key").read_text().splitlines()[0])
            yield People(Client(Api(instance, contract, key), instance.administrator_key))
        finally:
            instance.stop()
        assert not instance.log_findings()


def test_closed_it_asks_for_an_auditor(closed):
    auditor, dealer = closed.auditor(), closed.dealer()
    nobody = Client(auditor.api)
    checkpoint = wait_for(lambda: (r := auditor.get("/log/checkpoint", expect=ANY)).status == 200 and r, 10, "published")
    for path in ("/log/checkpoint", "/log/tile/0/000.p/1"):
        nobody.get(path, expect="unauthorized")
        for other in (dealer, closed.investigator(), closed.admin):
            other.get(path, expect="forbidden")
    assert checkpoint.headers["Cache-Control"] == "private, max-age=10"
    vkey = (closed.admin.api.instance.folder / "verifier.key").read_text().splitlines()[0]
    tree = tiles.Log(fetcher(auditor), vkey).tree()
    assert tree.size == tiles.open_checkpoint(checkpoint.content, vkey)[1]


def test_closed_every_reading_is_an_entry(closed):
    auditor, other = closed.auditor(), closed.auditor()
    size = wait_for(lambda: (r := auditor.get("/log/checkpoint", expect=ANY)).status == 200 and r, 10, "published").body.split("\n")[1]
    path = tiles.tile_path("entries", int(size) // 256, int(size) % 256)
    good = auditor.get("/log/" + path)
    bad = auditor.get("/log/tile/7/000", expect="not_found")
    odd = auditor.get("/log/tile/0/0", expect="not_found")
    assert good.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    for reply, operation, outcome, asked in ((good, "get_log_tile", "ok", path.removeprefix("tile/")),
                                             (bad, "get_log_tile", "not_found", "7/000"), (odd, "get_log_tile", "not_found", None)):
        entry = other.get("/v1/log/entries/" + reply.headers["Access-Log-Entry"])
        for part in (f'"operation":"{operation}"', f'"outcome":"{outcome}"', '"role":"auditor"', reply.headers["Request-Id"]):
            assert part in entry["header"], entry["header"]
        assert asked is None or f'"tile":"{asked}"' in entry["subject"]
