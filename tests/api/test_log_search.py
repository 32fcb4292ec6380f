# SPDX-License-Identifier: Apache-2.0
"""The log as auditors work with it: in the order of its index, by firearm, who read what, taken away."""

import base64
import concurrent.futures
import hashlib
import http.server
import json
import secrets
import ssl
import subprocess
import threading

import pytest

import tlog
from client import ANY
from client import today
from instance import wait_for

LIST = "/v1/log/entries"


def filled(auditor, index):
    """Waits until what is searched holds the entry."""
    wait_for(lambda: auditor.get(LIST + "?limit=1")["complete_to"] > index, 10, "a list that is complete")


def index_of(reply):
    return int(reply.headers["Access-Log-Entry"])


class Busy:
    """Requests of one account, four at a time, until enough of them are made."""

    def __init__(self, client, count):
        self.client, self.count = client, count

    def __enter__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.futures = [self.pool.submit(self.client.get, "/v1/me") for _ in range(self.count)]
        return self

    def __exit__(self, *_):
        self.pool.shutdown()

    def indexes(self):
        return sorted(index_of(future.result()) for future in self.futures)


def test_a_walk_from_the_oldest_finds_each_entry_once(auditor, investigator):
    """Also those that are made meanwhile: where a page is the last one, complete_to leads on."""
    mine = f"{LIST}?account={investigator.account['id']}&order=oldest&limit=7"
    found, cursor = [], None

    def step():
        nonlocal cursor
        page = auditor.get(mine + (f"&cursor={cursor}" if cursor is not None else ""))
        found.extend(row["index"] for row in page["data"])
        if page["next_cursor"]:
            cursor = page["next_cursor"]
        elif page["complete_to"]:
            cursor = page["complete_to"] - 1
        return len(found) >= 300

    with Busy(investigator, 300) as busy:
        wait_for(step, 30, "all of them")
    assert found == busy.indexes()


def test_a_walk_from_the_newest_finds_what_was_there_once(auditor, investigator):
    with Busy(investigator, 100) as busy:
        pass
    there = busy.indexes()
    filled(auditor, there[-1])
    mine = f"{LIST}?account={investigator.account['id']}&limit=7"
    page = auditor.get(mine)
    found = [row["index"] for row in page["data"]]
    with Busy(investigator, 100):
        while page["next_cursor"]:
            page = auditor.get(f"{mine}&cursor={page['next_cursor']}")
            found += [row["index"] for row in page["data"]]
    assert found == there[::-1]


def test_times_and_order(auditor, investigator):
    made = [index_of(investigator.get("/v1/me")) for _ in range(3)]
    filled(auditor, made[-1])
    mine = f"{LIST}?account={investigator.account['id']}"
    rows = auditor.get(mine + "&order=oldest")["data"]
    assert [row["index"] for row in rows] == made
    middle = rows[1]["at"]
    assert [row["index"] for row in auditor.get(f"{mine}&from={middle}")["data"]] == \
        [row["index"] for row in rows[::-1] if row["at"] >= middle]
    assert [row["index"] for row in auditor.get(f"{mine}&to={middle}&order=oldest")["data"]] == \
        [row["index"] for row in rows if row["at"] < middle]
    assert auditor.get(f"{mine}&from=2031-01-01T00:00:00Z")["data"] == []
    assert auditor.get(f"{mine}&to=2020-01-01T00:00:00Z")["data"] == []
    for cursor in ("x", "-1", str(10**15)):
        auditor.get(f"{mine}&cursor={cursor}", expect="invalid_request")
    auditor.get(f"{mine}&order=sideways", expect="invalid_request")


# ---- by firearm ------------------------------------------------------------------------------------


@pytest.fixture
def two(people, registry):
    """Two firearms of one maker and dealer with the same story, and the entries that touched each."""
    manufacturer, dealer, investigator = people.manufacturer(), people.dealer(), people.investigator()
    licence = manufacturer.organization["licence"]
    story = {}
    for name in ("one", "other"):
        firearm = registry.register(manufacturer, dealer, receive=False)
        registry.receive(dealer, [firearm], licence)
        sale = dealer.post("/v1/sales", registry.sale(firearm))
        trace = investigator.post("/v1/traces", registry.trace(firearm.code))
        assert trace["candidates"][0]["firearm"]["id"] == firearm.id
        again = investigator.get(f"/v1/traces/{trace['id']}")
        story[name] = firearm, sale, index_of(trace), index_of(again)
    return manufacturer, dealer, investigator, story


def operations(auditor, firearm):
    return [row["operation"] for row in auditor.pages(f"{LIST}?firearm={firearm}&order=oldest&limit=2")]


def test_by_firearm(auditor, two):
    manufacturer, dealer, investigator, story = two
    told = ["register_firearms", "record_custody_events", "create_sale", "create_trace", "get_trace"]
    for firearm, _, traced, again in story.values():
        filled(auditor, again)
        assert operations(auditor, firearm.id) == told
        rows = auditor.get(f"{LIST}?firearm={firearm.id}")["data"]
        assert [row["index"] for row in rows][:2] == [again, traced]
        assert {row["organization"] for row in rows} == {c.organization["id"] for c in (manufacturer, dealer, investigator)}
        assert [row["index"] for row in auditor.get(f"{LIST}?firearm={firearm.id}&operation=create_trace")["data"]] == [traced]
    assert auditor.get(f"{LIST}?firearm=frm_{secrets.token_hex(16)}")["data"] == []
    auditor.get(f"{LIST}?firearm=frm_zz", expect="invalid_request")
    # To have looked for it in the log is not to have touched it.
    searched = index_of(auditor.get(f"{LIST}?firearm={story['one'][0].id}"))
    filled(auditor, searched)
    assert operations(auditor, story["one"][0].id) == told


def test_reading_again_touches(auditor, two):
    manufacturer, dealer, _, story = two
    firearm, sale, _, again = story["one"]
    filled(auditor, again)
    before = len(operations(auditor, firearm.id))
    manufacturer.get(f"/v1/firearms/{firearm.id}")
    manufacturer.get(f"/v1/firearms?serial={firearm.serial}")
    last = dealer.get(f"/v1/sales/{sale['id']}")
    newest = auditor.get(LIST + "?limit=1")
    filled(auditor, index_of(newest))
    assert last["firearm"]["id"] == firearm.id
    assert operations(auditor, firearm.id)[before:] == ["get_firearm", "find_firearms", "get_sale"]


def test_by_firearm_also_where_a_request_brought_many(auditor, people, registry):
    """The log's subject names the first hundred of a registration; by its records each is found."""
    manufacturer, dealer = people.manufacturer(), people.dealer()
    firearms = registry.register(manufacturer, dealer, count=230, receive=True)
    filled(auditor, index_of(auditor.get(LIST + "?limit=1")))
    for firearm in (firearms[0], firearms[150], firearms[-1]):
        assert operations(auditor, firearm.id) == ["register_firearms", "record_custody_events"]


def test_a_dump_does_not_say_which_firearm(auditor, two, casetrace):
    firearm, _, traced, again = two[3]["one"]
    filled(auditor, again)
    tokens = casetrace.psql(f"SELECT encode(token, 'hex') FROM registry.log_touched WHERE idx = {traced}").split()
    assert len(tokens) == 1 and len(tokens[0]) == 32
    id = firearm.id.removeprefix("frm_")
    guesses = {id, *(hashlib.blake2b(what, digest_size=16, person=label.ljust(16, b"\0")).hexdigest()
                     for what in (bytes.fromhex(id), firearm.id.encode()) for label in (b"", b"ct-log-firearm"))}
    assert not guesses & set(tokens)
    for table in ("log_touched", "log_search", "log_search_batch", "log_entry"):
        dump = casetrace.psql(f"COPY (SELECT * FROM registry.{table}) TO STDOUT")
        assert id not in dump.replace("-", ""), table
        assert firearm.serial not in dump, table


def test_what_was_touched_outlives_a_rebuild(auditor, two, casetrace):
    firearm, _, _, again = two[3]["one"]
    filled(auditor, again)
    told = operations(auditor, firearm.id)
    assert told
    casetrace.psql("SELECT api.log_search_again()")
    filled(auditor, again)
    assert operations(auditor, firearm.id) == told


# ---- one entry -------------------------------------------------------------------------------------


def test_an_entry_says_who_has_read_it(people, auditor, investigator, verifier_key):
    index = index_of(investigator.get("/v1/me"))
    entry = auditor.get(f"{LIST}/{index}")
    assert entry["read_by"] == [], "who reads it now is not yet among them"
    receipt = tlog.Receipt(entry["proof"]["tlog_proof"], verifier_key)
    assert receipt.index == index and receipt.extra["header"] == entry["header"]
    other = people.auditor()
    readings = [(index_of(entry), auditor)]
    for client, path in ((other, f"{LIST}/{index}"), (auditor, f"/v1/log/receipts/{index}"),
                         (other, f"/v1/log/export?from={index}&limit=1"), (other, f"/v1/log/export?from={index - 1}&limit=2")):
        readings.append((index_of(client.get(path)), client))
    neither = index_of(other.get(f"/v1/log/export?from={index + 1}&limit=1"))
    investigator.get(f"{LIST}/{index}", expect="forbidden")
    filled(auditor, neither)
    found = auditor.get(f"{LIST}/{index}")
    assert [(row["index"], row["account"]) for row in found["read_by"]] == [(i, c.account["id"]) for i, c in readings[::-1]]
    assert found["complete_to"] > neither
    assert all(row["at"] for row in found["read_by"])


# ---- taken away ------------------------------------------------------------------------------------


def lines_of(reply):
    return [json.loads(line) for line in reply.body.splitlines()]


def test_export(auditor, investigator, registry):
    reading = "4H7K2M9?"
    index = index_of(investigator.post("/v1/traces", registry.trace(reading)))
    page = auditor.get(f"/v1/log/export?from={index - 3}&limit=4")
    digest = base64.b64encode(hashlib.sha256(page.content).digest()).decode()
    assert page.headers["Content-Digest"] == f"sha-256=:{digest}:"
    assert page.headers["Content-Type"].startswith("application/x-ndjson")
    lines = lines_of(page)
    assert [line["index"] for line in lines] == list(range(index - 3, index + 1))
    assert reading in lines[-1]["subject"]
    for line in lines:
        assert tlog.leaf_hash(tlog.leaf_bytes(line)).hex() == line["leaf_hash"]
        if line["subject"] is not None:
            assert tlog.commitment(bytes.fromhex(line["subject_salt"]), line["subject"]).hex() == line["d_subject"]
        entry = auditor.get(f"{LIST}/{line['index']}").body
        assert line == {name: entry[name] for name in line}
    investigator.get("/v1/log/export?from=0", expect="forbidden")
    for wrong in ("", "?from=-1", "?from=0&limit=0", "?from=0&limit=1001"):
        auditor.get("/v1/log/export" + wrong, expect="invalid_request")


def test_export_goes_page_by_page_to_the_last_checkpoint(auditor, investigator):
    start = index_of(investigator.get("/v1/me"))
    for _ in range(10):
        investigator.get("/v1/me")
    path, indexes = f"/v1/log/export?from={start}&limit=4", []
    for _ in range(4):
        page = auditor.get(path)
        indexes += [line["index"] for line in lines_of(page)]
        if "Link" not in page.headers:
            break
        path = page.headers["Link"].split("<")[1].split(">")[0]
    assert indexes == list(range(start, start + len(indexes))) and len(indexes) >= 11
    beyond = auditor.get(f"/v1/log/export?from={10**12}")
    assert beyond.body == "" and "Link" not in beyond.headers
    assert beyond.headers["Content-Digest"] == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    assert int(beyond.headers["Log-Complete-To"]) > start


def test_the_tool_exports(auditor, investigator, casetrace, tmp_path):
    start = index_of(investigator.get("/v1/me"))
    done = casetrace.client_tool(auditor, "log", "export", "--from", str(start), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "out").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(start, start + len(lines))) and lines
    assert done.stdout == f"{len(lines)} entries; the next is {start + len(lines)}\n"
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert casetrace.client_tool(investigator, "log", "export", "--from", "0", str(tmp_path / "no")).returncode == 1
    assert casetrace.client_tool(auditor, "log", "export", str(tmp_path / "no")).returncode == 2


def test_what_was_exported_is_in_the_public_log(auditor, nobody, casetrace, verifier_key, tmp_path):
    note = wait_for(lambda: (r := nobody.get("/log/checkpoint", expect=ANY)).status == 200 and r.body, 90, "a published checkpoint")
    size = tlog.Checkpoint(note, verifier_key).size
    key = (casetrace.folder / "verifier.key").read_text().splitlines()[0]
    exported = tmp_path / "page.ndjson"
    exported.write_text(auditor.get(f"/v1/log/export?from={max(0, size - 5)}&limit={min(5, size)}").body)
    tool = casetrace.prefix / "bin/casetrace"
    mirror = [tool, "log", "mirror", "--vkey", key, "--url", casetrace.url + "/log", "--cacert", casetrace.certificate, tmp_path / "log"]
    subprocess.run(mirror, check=True, capture_output=True)

    def verify():
        return subprocess.run([tool, "log", "verify", "--vkey", key, "--dir", tmp_path / "log", "--entries", exported],
                              capture_output=True, text=True)

    done = verify()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{min(5, size)} exported entries rebuild their leaves" in done.stdout
    exported.write_text(exported.read_text().replace("operation", "oberation", 1))
    assert verify().returncode == 1


class Liar(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body, digest = self.server.page
        self.send_response(200)
        for name, value in {"Content-Type": "application/x-ndjson", "Content-Length": str(len(body)), "Content-Digest": digest,
                            "Log-Complete-To": "6"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_the_tool_takes_no_altered_page(auditor, casetrace, tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Liar)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(casetrace.certificate, casetrace.certificate.parent / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(auditor.key + "\n")

    def export(body, digest):
        server.page = body, digest
        out = tmp_path / "out"
        done = subprocess.run([casetrace.prefix / "bin/casetrace", "log", "export", "--from", "5", "--cacert", casetrace.certificate,
                               "--key-file", key, "--url", f"https://127.0.0.1:{server.server_address[1]}", out],
                              capture_output=True, text=True)
        written = list(out.iterdir())
        for file in written:
            file.unlink()
        return done.returncode, len(written), done.stderr

    def digest(body):
        return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"

    good = b'{"index":5,"header":"x"}\n'
    try:
        assert export(good, digest(good))[:2] == (0, 1)
        for body, stated in ((good, digest(b"other")), (good, "sha-512=:x:"), (good[:-1], digest(good[:-1])),
                             (good * 2, digest(good * 2)), (b'{"index":6}\n', digest(b'{"index":6}\n')), (b"", digest(b"")),
                             (b"x\n", digest(b"x\n"))):
            status, written, said = export(body, stated)
            assert (status, written) == (1, 0) and said, body
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
