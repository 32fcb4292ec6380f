# SPDX-License-Identifier: Apache-2.0
"""casetrace log verify and log mirror on the public view of a log: in a folder and over HTTPS, from the
beginning and from where an earlier run ended; whatever is altered is named."""

import base64
import concurrent.futures
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

import tlog
from client import ANY
from instance import TOP, wait_for
from view import Server, tile_path, write
from written_log import Tree, new_key

KNOWN = TOP / "tests/data/kat/log300"
TOOL = os.path.join(os.environ.get("CASETRACE_PREFIX", ""), "bin/casetrace")
ORIGIN = "view.example/log"
SIZES = (1, 255, 256, 257, 65_535, 65_536, 70_000)
EARLY, SIZE = 65_000, 70_000
ACCOUNT = {"account": "acc_" + "1" * 32, "organization": "org_" + "2" * 32}


def tool(*arguments, **options):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


class Log:
    """A log of exported entries, its leaves, roots and signed checkpoints."""

    def __init__(self):
        self.key, self.identity, self.vkey = new_key(ORIGIN)
        self.lines = [self.line(index) for index in range(SIZE)]
        self.leaves = [tlog.leaf_bytes(line) for line in self.lines]
        self.notes, tree = {}, Tree()
        for leaf in self.leaves:
            tree.append(tlog.leaf_hash(leaf))
            if tree.size in (*SIZES, EARLY, 66_000):
                self.notes[tree.size] = self.sign(tree.size, tree.root)

    def line(self, index):
        salts = [tlog.sha256(f"{index} {part}".encode()).hex() for part in ("header", "subject")]
        header = {**ACCOUNT, "epoch": 1, "operation": "get_me", "origin": ORIGIN, "outcome": "ok", "status": 200,
                  "time": f"2026-01-01T00:{index // 60_000:02d}:{index // 1000 % 60:02d}.{index % 1000:03d}Z", "v": 1}
        subject = json.dumps({"number": index})
        return {"index": index, "header": json.dumps(header), "header_salt": salts[0], "subject": subject, "subject_salt": salts[1],
                "d_subject": tlog.commitment(bytes.fromhex(salts[1]), subject).hex()}

    def sign(self, size, root):
        text = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
        blob = base64.b64encode(self.identity + self.key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {ORIGIN} {blob}\n"

    def forked(self, size, at):
        """A checkpoint of another log, which differs from one entry on."""
        tree = Tree()
        for index, leaf in enumerate(self.leaves[:size]):
            tree.append(tlog.leaf_hash(leaf if index != at else b"\1" + tlog.sha256(b"another")))
        return self.sign(size, tree.root)


@pytest.fixture(scope="module")
def log():
    return Log()


@pytest.fixture(scope="module")
def whole(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write(folder, log.leaves, log.notes[SIZE])
    return folder


@pytest.fixture
def view(whole, tmp_path):
    """One that a test may alter."""
    shutil.copytree(whole, tmp_path / "view")
    return tmp_path / "view"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                    "-out", folder / "certificate.pem"], check=True, capture_output=True)
    return folder


@pytest.fixture
def served(view, certificate):
    server = Server(view, certificate / "certificate.pem", certificate / "key.pem")
    yield server
    server.close()


def verify(log, *options):
    return tool("log", "verify", "--vkey", log.vkey, *options)


def accepted(done):
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr  # a bar is for terminals
    return done


def refused(done, pattern, status=1):
    assert done.returncode == status and re.search(pattern, done.stderr), f"{pattern}: {done.returncode} {done.stdout}{done.stderr}"
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr


def text(path, content):
    path.write_text(content)
    return path


# ---- a folder -----------------------------------------------------------------------------------


def test_known_answers():
    """A view that another implementation wrote."""
    key, witness = (KNOWN / "vkeys.txt").read_text().split()
    done = accepted(tool("log", "verify", "--vkey", key, "--vkey", witness, "--dir", KNOWN, "--since", KNOWN / "checkpoint.old"))
    assert "300 entries as the signed checkpoint says" in done.stdout
    refused(tool("log", "verify", "--vkey", witness, "--vkey", new_key("audit.example.org/log1")[2], "--dir", KNOWN), "checkpoint: ")


@pytest.mark.parametrize("size", SIZES)
def test_sizes(log, tmp_path, size):
    write(tmp_path, log.leaves[:size], log.notes[size])
    accepted(verify(log, "--dir", tmp_path))
    if size > 1:
        refused(verify(log, "--dir", tmp_path, "--since", text(tmp_path / "x", log.forked(size, size - 1))), f"size {size}: the root is not")


def test_a_view_that_has_grown(log, whole, tmp_path):
    """The checkpoint is older than the tiles: what was partial is full by now."""
    shutil.copytree(whole, tmp_path / "view")
    text(tmp_path / "view/checkpoint", log.notes[EARLY])
    accepted(verify(log, "--dir", tmp_path / "view"))


def test_stats(log, whole):
    done = accepted(verify(log, "--dir", whole, "--stats"))
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["entries"] == SIZE and figures["hashed_bytes"] == SIZE * (34 + 65) and figures["ratio"] > 0
    # Some 15 MiB; under AddressSanitizer what was freed is kept for a while, up to 256 MiB.
    assert figures["peak_rss_bytes"] < 400 << 20


def bits(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def exchange(path, size, one, other):
    data = path.read_bytes()
    parts = [data[n:n + size] for n in range(0, len(data), size)]
    parts[one], parts[other] = parts[other], parts[one]
    path.write_bytes(b"".join(parts))


def cut(path, count):
    path.write_bytes(path.read_bytes()[:-count])


def longer(path):
    path.write_bytes(path.read_bytes() + b"\0\0")


ENTRIES, HASHES = tile_path("entries", 7), tile_path(0, 7)
LEAF = r"entry {}: its leaf does not give the hash in tile/0/007"
DAMAGE = {
    "a leaf": (lambda v: bits(v / ENTRIES, 35 * 10 + 20), LEAF.format(1802)),
    "two leaves exchanged": (lambda v: exchange(v / ENTRIES, 35, 3, 4), LEAF.format(1795)),
    "a leaf taken out": (lambda v: cut(v / ENTRIES, 35), "entry 2047: tile/entries/007 ends before it"),
    "a bundle cut short": (lambda v: cut(v / ENTRIES, 1), "entry 2047: tile/entries/007 ends before it"),
    "a bundle too long": (lambda v: longer(v / ENTRIES), "tile/entries/007 has more than its 256 entries"),
    "an empty bundle": (lambda v: (v / ENTRIES).write_bytes(b""), "entry 1792: tile/entries/007 ends before it"),
    "a hash": (lambda v: bits(v / HASHES, 32 * 11), LEAF.format(1803)),
    "two hashes exchanged": (lambda v: exchange(v / HASHES, 32, 0, 255), LEAF.format(1792)),
    "a tile cut short": (lambda v: cut(v / HASHES, 32), "tile/0/007: it has 8160 bytes"),
    "a tile too long": (lambda v: longer(v / HASHES), "tile/0/007: it has 8194 bytes"),
    "a tile above": (lambda v: bits(v / tile_path(1, 0), 32 * 7), "tile/0/007: its root is not hash 7 of tile/1/000"),
    "a partial tile above": (lambda v: bits(v / tile_path(1, 1, 17), 32 * 16), "tile/0/272: its root is not hash 16 of tile/1/001"),
    "the highest tile": (lambda v: bits(v / tile_path(2, 0, 1), 0), "tile/2/000: its hash 0 is not the root of entries 0 to 65535"),
    "the last leaf": (lambda v: bits(v / tile_path("entries", 273, 112), 35 * 111 + 5), "entry 69999: its leaf does not give"),
    "the first of several": (lambda v: [bits(v / tile_path("entries", n), 9) for n in (200, 100, 8)], "entry 2048: its leaf"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged(log, view, what):
    damage, said = DAMAGE[what]
    damage(view)
    refused(verify(log, "--dir", view), said)


def test_made_to_fit(log, tmp_path):
    """Another entry with all tiles over it: the signed checkpoint tells, and a receipt which entry."""
    leaves = list(log.leaves)
    leaves[40_000] = b"\1" + tlog.sha256(b"another")
    write(tmp_path, leaves, log.notes[SIZE])
    refused(verify(log, "--dir", tmp_path), f"size {SIZE}: the entries do not give the root of the checkpoint")
    before, after = text(tmp_path / "before", log.notes[257]), text(tmp_path / "after", log.notes[65_536])
    refused(verify(log, "--dir", tmp_path, "--since", after, "--since", before),
            f"size 65536: the root is not the one signed in {after}: the log was rewritten or forked after size 257, "
            f"where it is as {before} has it")


@pytest.mark.parametrize("path", [ENTRIES, HASHES, tile_path(1, 0), tile_path(2, 0, 1), tile_path(0, 273, 112), "checkpoint"])
def test_missing(log, view, path):
    """Not a proof that anything is wrong."""
    (view / path).unlink()
    refused(verify(log, "--dir", view), re.escape(path), status=3)


@pytest.mark.parametrize("what", ["empty", "cut", "root", "size", "other key"])
def test_checkpoint(log, view, what):
    note = log.notes[SIZE]
    text(view / "checkpoint", {
        "empty": "", "cut": note[:-9], "root": note.replace(note.split("\n")[2], log.notes[256].split("\n")[2]),
        "size": note.replace(str(SIZE), str(EARLY)), "other key": note}[what])
    vkey = new_key(ORIGIN)[2] if what == "other key" else log.vkey
    refused(tool("log", "verify", "--vkey", vkey, "--dir", view), "checkpoint: ")


# ---- from where an earlier run ended ------------------------------------------------------------


def test_state(log, view, tmp_path):
    state = tmp_path / "state"
    text(view / "checkpoint", log.notes[EARLY])
    accepted(verify(log, "--dir", view, "--state", state))
    assert state.read_text() == log.notes[EARLY]
    text(view / "checkpoint", log.notes[SIZE])
    bits(view / tile_path("entries", 3), 9)  # checked before, and not read again
    done = accepted(verify(log, "--dir", view, "--state", state, "--stats"))
    assert json.loads(done.stdout.splitlines()[-1])["entries"] < 14_000
    assert state.read_text() == log.notes[SIZE]
    refused(verify(log, "--dir", view, "--state", state, "--full"), "entry 768: its leaf")
    accepted(verify(log, "--dir", view, "--state", state))
    assert [path.name for path in tmp_path.glob("state*")] == ["state"]


def test_state_is_not_moved_by_what_does_not_hold(log, view, tmp_path):
    state = text(tmp_path / "state", log.notes[EARLY])
    bits(view / tile_path("entries", 270), 9)
    refused(verify(log, "--dir", view, "--state", state), "entry 69120: its leaf")
    assert state.read_text() == log.notes[EARLY]


def test_rolled_back(log, view, tmp_path):
    """The view ends before what it showed once. A receipt may be newer than the view."""
    state = text(tmp_path / "state", log.notes[SIZE])
    text(view / "checkpoint", log.notes[EARLY])
    refused(verify(log, "--dir", view, "--state", state), f"the log ends at size {EARLY}, but {state} shows that it had {SIZE} entries")
    refused(verify(log, "--dir", view, "--since", state), f"{state} is of size {SIZE}, which is not published yet", status=3)


@pytest.mark.parametrize("size, at, said", [
    (EARLY, 100, "size {}: the root is not the one signed in {}"), (65_536, 65_535, "size {}: the root is not the one signed in {}"),
    (257, 3, "size {}: the log of size 70000 does not go on from what is signed in {}")])
def test_forked_from_the_state(log, view, tmp_path, size, at, said):
    """The view goes on from something else than what was checked, or than what is known of an earlier time."""
    fork = text(tmp_path / "fork", log.forked(size, at))
    if size == 257:
        refused(verify(log, "--dir", view, "--since", fork, "--state", text(tmp_path / "state", log.notes[EARLY])), said.format(size, fork))
    else:
        refused(verify(log, "--dir", view, "--state", fork), said.format(size, fork))


def test_two_continuations(log, view, tmp_path):
    """Two logs that are one up to 65,600: the first checkpoint that tells them apart is named, with the last that does not."""
    paths = {size: text(tmp_path / f"fork{size}", log.forked(size, 65_600)) for size in (65_000, 66_000, 68_000)}
    done = verify(log, "--dir", view, *(word for path in reversed(paths.values()) for word in ("--since", path)))
    refused(done, f"size 66000: the root is not the one signed in {paths[66_000]}: the log was rewritten or forked after size 65000, "
                  f"where it is as {paths[65_000]} has it")
    # Their checkpoints of one size are enough.
    refused(verify(log, "--since", text(tmp_path / "other", log.notes[66_000]), "--since", paths[66_000]),
            "size 66000: .* are both signed and differ: the log was forked")


# ---- exported entries -----------------------------------------------------------------------------


def export(log, path, indexes, **changes):
    with open(path, "w") as file:
        for index in indexes:
            file.write(json.dumps({**log.lines[index], **changes}) + "\n")
    return path


def test_export(log, whole, tmp_path):
    path = export(log, tmp_path / "all", range(SIZE))
    done = accepted(verify(log, "--dir", whole, "--entries", path, "--stats"))
    assert f"{SIZE} exported entries rebuild their leaves, {SIZE} of them with their subjects" in done.stdout
    some = export(log, tmp_path / "some", [*range(300, 400), 5, 69_999])
    state = text(tmp_path / "state", log.notes[EARLY])
    done = accepted(verify(log, "--dir", whole, "--entries", some, "--state", state))
    assert "102 exported entries" in done.stdout
    without = tmp_path / "without"
    without.write_text(json.dumps({k: v for k, v in log.lines[9].items() if not k.startswith("subject")}))
    assert "1 exported entries rebuild their leaves, 0 of them" in accepted(verify(log, "--dir", whole, "--entries", without)).stdout


@pytest.mark.parametrize("name, value, said", [
    ("header", "{}", "entry 300 does not rebuild its leaf"), ("header_salt", "00" * 32, "entry 300 does not rebuild its leaf"),
    ("d_subject", "00" * 32, "entry 300 does not rebuild its leaf"), ("index", 301, "entry 301 does not rebuild its leaf"),
    ("subject", '{"number": 301}', "entry 300: the subject is not the one that it was logged with"),
    ("subject_salt", "00" * 32, "entry 300: the subject is not the one"), ("subject_salt", None, "entry 300: no subject_salt"),
    ("subject", None, "entry 300: its subject is missing or did not open"), ("header", 5, "not an entry with index, header"),
    ("index", -1, "not an entry with index, header")])
def test_export_altered(log, whole, tmp_path, name, value, said):
    path = export(log, tmp_path / "some", [300], **{name: value})
    refused(verify(log, "--dir", whole, "--entries", path), "line 1.*" + said)
    state = text(tmp_path / "state", log.notes[EARLY])
    refused(verify(log, "--dir", whole, "--entries", path, "--state", state), "line 1.*" + said)


def test_export_that_is_none(log, whole, tmp_path):
    good = export(log, tmp_path / "good", range(3)).read_text()
    refused(verify(log, "--dir", whole, "--entries", text(tmp_path / "x", good + "{nonsense\n")), "line 4: ")
    refused(verify(log, "--dir", whole, "--entries", text(tmp_path / "x", good + "x" * 2_000_000)), "line 4 is longer", status=3)
    refused(verify(log, "--dir", whole, "--entries", tmp_path / "none"), "none: ", status=3)
    far = export(log, tmp_path / "far", [5], index=SIZE)
    refused(verify(log, "--dir", whole, "--entries", far), f"entry {SIZE} is not published yet", status=3)


# ---- over HTTPS -----------------------------------------------------------------------------------


def remote(log, served, certificate, *options, command="verify"):
    return tool("log", command, "--vkey", log.vkey, "--url", served.url, "--cacert", certificate / "certificate.pem", *options)


def test_https(log, served, certificate, view):
    assert f"{SIZE} entries as the signed" in accepted(remote(log, served, certificate)).stdout
    bits(view / ENTRIES, 35 * 10 + 20)
    refused(remote(log, served, certificate), LEAF.format(1802))
    (view / ENTRIES).unlink()
    refused(remote(log, served, certificate), "tile/entries/007", status=3)


def test_https_state(log, served, certificate, tmp_path):
    state = text(tmp_path / "state", log.notes[EARLY])
    accepted(remote(log, served, certificate, "--state", state))
    assert len(served.asked) < 130, "what was checked before is not fetched"
    assert state.read_text() == log.notes[SIZE]


def test_a_busy_server(log, served, certificate):
    """503 is waited for."""
    served.busy = 2
    accepted(remote(log, served, certificate))


def test_mirror(log, served, certificate, whole, view, tmp_path):
    copy = tmp_path / "copy"
    shutil.rmtree(view / "tile")
    write(view, log.leaves[:EARLY], log.notes[EARLY])
    accepted(remote(log, served, certificate, copy, command="mirror"))
    assert (copy / tile_path(0, 253, 232)).exists()
    accepted(verify(log, "--dir", copy))
    write(view, log.leaves, log.notes[SIZE])
    first = len(served.asked)
    done = accepted(remote(log, served, certificate, "--stats", copy, command="mirror"))
    assert len(served.asked) - first < 80 and "were checked before" in done.stdout
    assert (copy / "checkpoint").read_text() == log.notes[SIZE]
    accepted(verify(log, "--dir", copy))
    files = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert files == {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()}, "and no old partial tile is left"
    asked = len(served.asked)
    accepted(remote(log, served, certificate, copy, command="mirror"))
    assert len(served.asked) - asked <= 2, "nothing is fetched twice"


def test_mirror_of_what_does_not_hold(log, served, certificate, view, tmp_path):
    copy = tmp_path / "copy"
    text(view / "checkpoint", log.notes[EARLY])
    accepted(remote(log, served, certificate, copy, command="mirror"))
    text(view / "checkpoint", log.notes[SIZE])
    bits(view / tile_path("entries", 270), 9)
    refused(remote(log, served, certificate, copy, command="mirror"), "entry 69120: its leaf")
    assert (copy / "checkpoint").read_text() == log.notes[EARLY]
    accepted(verify(log, "--dir", copy))


def test_mirror_is_rolled_back(log, served, certificate, view, tmp_path):
    copy = tmp_path / "copy"
    accepted(remote(log, served, certificate, copy, command="mirror"))
    text(view / "checkpoint", log.notes[EARLY])
    refused(remote(log, served, certificate, copy, command="mirror"), f"the log ends at size {EARLY}, but {copy}/checkpoint shows")
    assert (copy / "checkpoint").read_text() == log.notes[SIZE]


def test_mirrors_at_once(log, served, certificate, tmp_path):
    """Two at a time: one does it, the other is told so, or comes after it."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: remote(log, served, certificate, tmp_path / "copy", command="mirror"), range(3)))
    assert 0 in {d.returncode for d in done}
    assert all(d.returncode == 0 or (d.returncode == 3 and "another mirror works on it" in d.stderr) for d in done), done
    accepted(verify(log, "--dir", tmp_path / "copy"))


def test_usage():
    vkey = new_key(ORIGIN)[2]
    for options in (["DIR"], ["--url", "https://127.0.0.1/log"], ["--url", "http://127.0.0.1/log", "DIR"], ["--url", "https://x/log", "A", "B"]):
        assert tool("log", "mirror", "--vkey", vkey, *options).returncode == 2, options
    assert tool("log", "mirror", "--url", "https://x/log", "DIR").returncode == 2


def test_progress(log, whole):
    """On a terminal there is a bar, which is wiped away."""
    ours, theirs = pty.openpty()
    done = subprocess.run([TOOL, "log", "verify", "--vkey", log.vkey, "--dir", whole], stdout=subprocess.PIPE, stderr=theirs, timeout=60)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        shown += part
        if not part:
            break
    os.close(ours)
    assert done.returncode == 0 and b"%" in shown and b"of 70000 entries" in shown and shown.endswith(b"\r\x1b[K")


# ---- what a daemon serves -------------------------------------------------------------------------


def test_a_daemon(casetrace, nobody, auditor, tmp_path):
    """Verified and mirrored as an outsider does it, with entries that an auditor may read, and again when it has grown."""
    vkey = (casetrace.folder / "verifier.key").read_text().splitlines()[0]
    wait_for(lambda: nobody.get("/log/checkpoint", expect=ANY).status == 200, 90, "a published checkpoint")
    place = ["--vkey", vkey, "--url", casetrace.url + "/log", "--cacert", casetrace.certificate]
    copy, state = tmp_path / "copy", tmp_path / "state"
    accepted(tool("log", "verify", *place, "--state", state))
    size = tlog.Checkpoint(state.read_text(), tlog.VerifierKey(vkey)).size
    lines = [json.dumps(auditor.get(f"/v1/log/entries/{index}").body) + "\n" for index in sorted({0, size // 2, size - 1})]
    accepted(tool("log", "mirror", *place, copy))
    done = accepted(tool("log", "verify", "--vkey", vkey, "--dir", copy, "--since", state, "--entries",
                         text(tmp_path / "lines", "".join(lines))))
    assert f"{len(lines)} exported entries rebuild their leaves, {len(lines)} of them with their subjects" in done.stdout
    receipt = text(tmp_path / "receipt", auditor.get(f"/v1/log/receipts/{size - 1}")["tlog_proof"])
    refused(tool("log", "verify", "--vkey", vkey, "--dir", copy, "--receipt", receipt), "which is not published yet", status=3)


@pytest.mark.parametrize("column", ["subject_sealed", "subject_salt_sealed"])
def test_a_sealed_subject_altered(casetrace, auditor, column):
    """Only who has the key can tell: opening it says so, and is an entry of its own."""
    index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
    path = f"/v1/log/entries/{index}"
    whole = auditor.get(path).body
    turn = f"UPDATE registry.log_entry SET {column} = set_byte({column}, 60, 255 - get_byte({column}, 60)) WHERE idx = {index}"
    unsealed = "SELECT count(*) FROM registry.log_entry WHERE convert_from(header, 'UTF8')::json ->> 'operation' = 'unseal'"
    before = int(casetrace.psql(unsealed))
    casetrace.expected_errors.append(r"\d sealed records did not open")
    casetrace.psql(turn)
    try:
        broken = auditor.get(path).body
        assert broken[column.removesuffix("_sealed")] is None and whole[column.removesuffix("_sealed")]
        assert int(casetrace.psql(unsealed)) == before + 1
    finally:
        casetrace.psql(turn)
    assert auditor.get(path)["subject"] == whole["subject"]
