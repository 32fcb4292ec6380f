# SPDX-License-Identifier: Apache-2.0
"""casetrace log verify, against a log that the keeper wrote: whole it passes, and whatever somebody with
all rights to the database does to a copy of it is refused, naming the first index or size that is wrong."""

import base64
import json
import os
import re
import subprocess
import tempfile

import pytest

import tlog
from instance import Instance
from written_log import Tree, literal, new_key, note_of, written

COPY = "tampered"
# Neither constraints nor triggers stop a superuser.
OVERRIDE = "SET session_replication_role = replica;\n"
UNCONSTRAINED = """
ALTER TABLE registry.log_signature DROP CONSTRAINT log_signature_size_fkey;
ALTER TABLE registry.log_batch DROP CONSTRAINT log_batch_check;
ALTER TABLE registry.log_published DROP CONSTRAINT log_published_size_fkey;
"""
TABLES = ("log_head", "log_entry", "log_batch", "log_subtree", "log_signature")
KEEP = "CREATE SCHEMA kept;" + "".join(f"CREATE TABLE kept.{t} AS SELECT * FROM registry.{t};" for t in TABLES)
PUT_BACK = "TRUNCATE " + ", ".join(f"registry.{t}" for t in TABLES) + ";" + "".join(
    f"INSERT INTO registry.{t} SELECT * FROM kept.{t};" for t in TABLES)


@pytest.fixture(scope="module")
def log(contract):
    with tempfile.TemporaryDirectory(prefix="casetrace-verify-") as folder:
        os.chmod(folder, 0o755)  # as root the parts run as other users
        instance = Instance(folder, pg=["fsync=off"])  # many copies are made
        try:
            yield written(instance, contract)
        finally:
            instance.stop()


@pytest.fixture(scope="module")
def copy(log):
    log.instance.psql(f"CREATE DATABASE {COPY} TEMPLATE casetrace", "postgres")
    log.instance.psql(UNCONSTRAINED + KEEP, COPY)


@pytest.fixture
def copied(log, copy):
    """Runs statements on a copy of the database in which the log is as it was."""
    def run(statements):
        statements = [statements] if isinstance(statements, str) else statements
        log.instance.psql(OVERRIDE + PUT_BACK + ";\n".join(statements), COPY)
        return COPY
    return run


def refused(done, pattern):
    said = done.stdout + done.stderr
    assert done.returncode == 1, "not found: " + said
    assert re.search(pattern, done.stderr), f"{pattern} is not in: {said}"
    assert "Sanitizer" not in said and "runtime error" not in said, said


# ---- a log that nobody has touched -------------------------------------------------------------


def test_whole(log):
    done = log.verify("--since", log.anchor)
    assert done.returncode == 0, done.stderr
    assert f"{log.size} entries in {len(log.batches)} batches" in done.stdout and "epoch 2" in done.stdout
    assert f"{len(log.signed)} stored signatures verify, 0 are by keys not given" in done.stdout
    assert f"signed up to entry {log.size - 1}; 0 after it rest on the database alone" in done.stdout
    done = log.verify()
    assert done.returncode == 0, done.stderr
    last = log.signed[-1]
    assert f"signed up to entry {last - 1}; {log.size - last} after it rest on the database alone" in done.stdout


def test_whole_with_all_that_is_known_from_elsewhere(log):
    early, receipt = log.file("early.checkpoint", note_of(log.early)), log.file("good.receipt", log.receipt)
    options = ["--since", early, "--since", log.anchor, "--receipt", receipt]
    for user in ("casetrace_auditor", "postgres", "casetrace_owner"):  # the last two may read the head too
        done = log.verify(*options, user=user)
        assert done.returncode == 0, f"{user}: {done.stderr}"


def test_computed_here_it_is_the_same(log):
    """The tree of this file, by which others here are forged, is the keeper's."""
    assert any(batch.count > 1 for batch in log.batches) and log.entries[0].leaf != log.entries[1].leaf
    tree, roots = Tree(), {}
    for entry in log.entries:
        tree.append(entry.leaf)
        roots[tree.size] = tree.root
    assert [roots[batch.size] for batch in log.batches] == [batch.root for batch in log.batches]
    assert log.rows("size, encode(frontier, 'hex') FROM registry.log_head") == [[str(tree.size), tree.frontier.hex()]]
    stored = log.rows("level, idx, encode(hash, 'hex') FROM registry.log_subtree ORDER BY level, idx")
    assert stored == [[str(level), str(index), node.hex()] for (level, index), node in sorted(tree.subtrees.items())]
    assert len(stored) >= 2


# ---- one thing is changed ----------------------------------------------------------------------

ENTRY = "UPDATE registry.log_entry SET {} WHERE idx = {}"
BATCH = "UPDATE registry.log_batch SET {} WHERE size = {}"
LEAF = "entry {}: its header, salt and subject digest do not give its leaf hash"


def exchanged(one, other):
    # By way of an index that is free: two rows never have the same one.
    return [ENTRY.format(f"idx = {to}", at) for at, to in ((one, 19_999_999), (other, one), (19_999_999, other))]


SIMPLE = {  # what is done: statements and what is said, of a log
    "a header": lambda l: (ENTRY.format(
        "header = convert_to(replace(convert_from(header, 'UTF8'), 'get_me', 'get_it'), 'UTF8')", l.index), LEAF.format(l.index)),
    "a header's salt": lambda l: (ENTRY.format("header_salt = sha256('x')", l.index), LEAF.format(l.index)),
    "a subject's digest": lambda l: (ENTRY.format("d_subject = sha256('x')", l.index), LEAF.format(l.index)),
    "a leaf hash": lambda l: (ENTRY.format("leaf_hash = sha256('x')", l.index), LEAF.format(l.index)),
    "the first leaf hash": lambda l: (ENTRY.format("leaf_hash = sha256('x')", 0), LEAF.format(0)),
    "the last leaf hash": lambda l: (ENTRY.format("leaf_hash = sha256('x')", l.size - 1), LEAF.format(l.size - 1)),
    "two headers": lambda l: ([ENTRY.format("header = '{}'", i) for i in (l.size - 1, l.index)], LEAF.format(l.index)),
    "an entry removed": lambda l: (
        f"DELETE FROM registry.log_entry WHERE idx = {l.index}", f"entry {l.index} is missing"),
    "the first entry removed": lambda l: ("DELETE FROM registry.log_entry WHERE idx = 0", "entry 0 is missing"),
    "the last entry removed": lambda l: (
        f"DELETE FROM registry.log_entry WHERE idx = {l.size - 1}",
        f"the last batch ends at size {l.size}, the last entry at {l.size - 1}"),
    "an entry added": lambda l: (
        "INSERT INTO registry.log_entry (idx, leaf_hash, header, header_salt, d_subject) SELECT "
        f"{l.size}, leaf_hash, header, header_salt, d_subject FROM registry.log_entry WHERE idx = {l.index}",
        f"the last batch ends at size {l.size}, the last entry at {l.size + 1}"),
    "two entries of a batch exchanged": lambda l: (
        exchanged(l.index, l.index + 1), f"size {l.batch.size}: the batch's root is not that of the entries"),
    "entries of two batches exchanged": lambda l: (
        exchanged(l.index, l.batch.size), f"size {l.batch.size}: the batch's root is not that of the entries"),
    "an entry in place of another": lambda l: (
        ["CREATE TEMP TABLE other AS SELECT * FROM registry.log_entry WHERE idx = " + str(l.index),
         "UPDATE registry.log_entry e SET header = o.header, header_salt = o.header_salt, leaf_hash = o.leaf_hash, "
         f"d_subject = o.d_subject FROM other o WHERE e.idx = {l.index + 1}"],
        f"size {l.batch.size}: the batch's root is not that of the entries"),
    "an entry far behind": lambda l: (
        "INSERT INTO registry.log_entry (idx, leaf_hash, header, header_salt, d_subject) SELECT "
        f"15000000, leaf_hash, header, header_salt, d_subject FROM registry.log_entry WHERE idx = {l.index}",
        f"the last batch ends at size {l.size}, the last entry at 15000001"),
    "all entries removed": lambda l: (
        "TRUNCATE registry.log_entry", f"the last batch ends at size {l.size}, the last entry at 0"),
    "all batches removed": lambda l: (
        "TRUNCATE registry.log_batch CASCADE", f"the last batch ends at size 0, the last entry at {l.size}"),
    "a batch in a batch": lambda l: (
        "INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch) SELECT gen_random_uuid(), first_idx, "
        f"count - 1, size - 1, root, epoch FROM registry.log_batch WHERE size = {l.batch.size}",
        f"size {l.batch.size - 1}: the batch's root is not that of the entries"),
    "a batch beyond the end": lambda l: (
        "INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch) SELECT gen_random_uuid(), "
        f"{l.size}, 1, {l.size + 1}, root, epoch FROM registry.log_batch WHERE size = {l.size}",
        f"the last batch ends at size {l.size + 1}, the last entry at {l.size}"),
    "two roots exchanged": lambda l: (
        "UPDATE registry.log_batch b SET root = o.root FROM registry.log_batch o WHERE b.size <> o.size AND "
        f"b.size IN ({l.batch.size}, {l.next_batch.size}) AND o.size IN ({l.batch.size}, {l.next_batch.size})",
        f"size {l.batch.size}: the batch's root is not that of the entries"),
    "two subtrees exchanged": lambda l: (
        "UPDATE registry.log_subtree s SET hash = o.hash FROM registry.log_subtree o "
        "WHERE s.level = 8 AND o.level = 8 AND s.idx + o.idx = 1", "size 256: subtree 0 of level 8 is missing or wrong"),
    "all subtrees removed": lambda l: (
        "TRUNCATE registry.log_subtree", "size 256: subtree 0 of level 8 is missing or wrong"),
    "a root": lambda l: (BATCH.format("root = sha256('x')", l.batch.size),
                         f"size {l.batch.size}: the batch's root is not that of the entries"),
    "a batch removed": lambda l: (
        f"DELETE FROM registry.log_batch WHERE size = {l.batch.size}",
        f"batch of size {l.next_batch.size}: it does not begin at {l.batch.first}"),
    "the first batch removed": lambda l: (
        "DELETE FROM registry.log_batch WHERE first_idx = 0", f"batch of size {l.batches[1].size}: it does not begin at 0"),
    "the last batch removed": lambda l: (
        f"DELETE FROM registry.log_batch WHERE size = {l.size}",
        f"the last batch ends at size {l.batches[-2].size}, the last entry at {l.size}"),
    "where a batch begins": lambda l: (
        BATCH.format("first_idx = first_idx + 1, count = count - 1", l.batch.size),
        f"batch of size {l.batch.size}: it does not begin at {l.batch.first}"),
    "how many a batch has": lambda l: (
        BATCH.format("count = count + 1", l.batch.size),
        f"batch of size {l.batch.size}: it does not begin at {l.batch.first}"),
    "where a batch ends": lambda l: (
        BATCH.format("size = size - 1, count = count - 1", l.batch.size),
        f"size {l.batch.size - 1}: the batch's root is not that of the entries"),
    "a batch's epoch": lambda l: (
        BATCH.format("epoch = epoch + 1", l.batch.size),
        f"entry {l.batch.first}: epoch {l.batch.epoch} in a batch of epoch {l.batch.epoch + 1}"),
    "a batch's time": lambda l: (
        BATCH.format("at = at - interval '1 h'", l.batch.size), rf"size {l.batch.size}: the batch's time is \d+ ms before"),
    "a subtree's hash": lambda l: (
        "UPDATE registry.log_subtree SET hash = sha256('x') WHERE level = 8 AND idx = 1",
        "size 512: subtree 1 of level 8 is missing or wrong"),
    "a subtree removed": lambda l: (
        "DELETE FROM registry.log_subtree WHERE level = 8 AND idx = 0", "size 256: subtree 0 of level 8 is missing or wrong"),
    "a subtree that cannot be": lambda l: (
        "INSERT INTO registry.log_subtree VALUES (16, 0, sha256('x'))",
        f"subtree 0 of level 16 is not part of a log of size {l.size}"),
    "a signature of another size": lambda l: (
        "UPDATE registry.log_signature s SET line = o.line FROM registry.log_signature o "
        f"WHERE s.size = {l.signed[-1]} AND o.size = {l.signed[-2]}",
        f"size {l.signed[-1]}: stored signature: a signature by a known key does not verify"),
    "a signature that is none": lambda l: (
        f"UPDATE registry.log_signature SET line = 'x' WHERE size = {l.signed[1]}",
        f"size {l.signed[1]}: stored signature: malformed"),
    "a signature's size": lambda l: (
        f"UPDATE registry.log_signature SET size = {l.next_batch.size} WHERE size = {l.signed[-1]}",
        f"size {l.next_batch.size}: stored signature: a signature by a known key does not verify"),
    "a signature within a batch": lambda l: (
        f"UPDATE registry.log_signature SET size = {l.batch.size - 1} WHERE size = {l.signed[-1]}",
        f"size {l.batch.size - 1} was signed, but no batch ends there"),
    "a signature beyond the end": lambda l: (
        f"UPDATE registry.log_signature SET size = {l.size + 1} WHERE size = {l.signed[-1]}",
        f"size {l.size + 1} was signed, but the log ends at {l.size}"),
    "all signatures removed": lambda l: ("TRUNCATE registry.log_signature", "no stored signature is by the keys given"),
    "everything removed": lambda l: (
        "TRUNCATE registry.log_signature, registry.log_batch, registry.log_entry, registry.log_subtree", "the log is empty"),
}


@pytest.mark.parametrize("what", SIMPLE)
def test_altered(log, copied, what):
    statements, said = SIMPLE[what](log)
    refused(log.verify(database=copied(statements)), said)
    # A checkpoint from elsewhere does not make it right, unless nothing is wrong but that there was none.
    if what != "all signatures removed":
        refused(log.verify("--since", log.anchor, database=COPY), "(entry|size|subtree|the log|batch)")


@pytest.mark.parametrize("what", SIMPLE)
def test_the_keeper_may_not(log, copied, what):
    """Whoever breaks into the keeper has its role in the database, and none of these statements."""
    copied([])
    statements, _ = SIMPLE[what](log)
    for statement in [statements] if isinstance(statements, str) else statements:
        done = subprocess.run(log.instance.command("psql", "-d", COPY, "-U", "casetrace_keeper", "-c", statement),
                              capture_output=True, text=True)
        assert done.returncode != 0 and "permission denied" in done.stderr, statement + done.stderr


@pytest.mark.parametrize("change", ["size = size - 1", "frontier = ''", "epoch = epoch + 1", "writer = 'x'", None])
def test_the_keeper_may_not_touch_the_head(log, copied, change):
    copied([])
    statement = "UPDATE registry.log_head SET " + change if change else "DELETE FROM registry.log_head"
    done = subprocess.run(log.instance.command("psql", "-d", COPY, "-U", "casetrace_keeper", "-c", statement),
                          capture_output=True, text=True)
    assert done.returncode != 0 and "permission denied" in done.stderr, done.stderr


def test_several_wrong_the_first_is_named(log, copied):
    database = copied([ENTRY.format("leaf_hash = sha256('x')", i) for i in (log.size - 1, log.index, 7)])
    refused(log.verify(database=database), LEAF.format(7))


@pytest.mark.parametrize("change, said", [
    ("size = size - 1", "the head's size is not that of the last batch, {size}"),
    ("frontier = set_byte(frontier, 3, (get_byte(frontier, 3) + 1) % 256)", "size {size}: the head's frontier is not that"),
    ("epoch = epoch + 1", "size {size}: the head's epoch is 3, that of the last entry 2"),
])
def test_the_head(log, copied, change, said):
    """Who may read the head checks it as well."""
    refused(log.verify(database=copied("UPDATE registry.log_head SET " + change), user="postgres"), said.format(size=log.size))


@pytest.mark.parametrize("statement", ["DELETE FROM registry.log_head", "TRUNCATE registry.log_head"])
def test_no_head(log, copied, statement):
    refused(log.verify(database=copied(statement), user="postgres"), f"the head's size is not that of the last batch, {log.size}")


@pytest.mark.parametrize("column", ["subject_sealed", "subject_salt_sealed"])
def test_a_sealed_subject_removed(log, copied, column):
    """Who may read sealed columns sees that one is gone. That one was altered shows when it is opened."""
    database = copied(ENTRY.format(column + " = NULL", log.index))
    refused(log.verify(database=database, user="postgres"), f"entry {log.index}: its sealed subject or the salt of it is missing")


# ---- by somebody who makes the rest fit ----------------------------------------------------------

HEADERS = {  # the leaf hash fits the header, which says what cannot be
    "an epoch": (lambda h, l: re.sub(rb'"epoch":\d+', b'"epoch":9', h), "entry {index}: epoch 9 in a batch of epoch {epoch}"),
    "a time before": (lambda h, l: re.sub(rb'"time":"20\d\d', b'"time":"2001', h), r"entry {index}: its time is \d+ ms before"),
    "a time to come": (lambda h, l: re.sub(rb'"time":"20\d\d', b'"time":"2999', h), "entry {index}: its time is in the future"),
    "a time that is none": (lambda h, l: re.sub(rb'"time":"20', b'"time":"xx', h), 'entry {index}: header: "time"'),
    "another log": (lambda h, l: h.replace(l.key.name.encode(), b"other.example/log"),
                    "entry {index}: its header names another log, other.example/log"),
    "a member twice": (lambda h, l: h.replace(b'"v":1', b'"v":1,"v":1'), "entry {index}: header: "),
    "another version": (lambda h, l: h.replace(b'"v":1', b'"v":2'), 'entry {index}: header: "v"'),
    "a takeover that was none": (lambda h, l: re.sub(rb'"operation":"[a-z_]+"', b'"operation":"takeover"', h),
                                 "entry {index}: a takeover without a new epoch"),
    "another account": (lambda h, l: re.sub(rb'"account":"acc_.', b'"account":"acc_g', h),
                        "size {size}: the batch's root is not that of the entries"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_fits_its_leaf(log, copied, what):
    change, said = HEADERS[what]
    _, statement = log.forged(lambda header: change(header, log))
    refused(log.verify(database=copied(statement)),
            said.format(index=log.index, epoch=log.batch.epoch, size=log.batch.size))


def another_account(header):
    return re.sub(rb'"account":"acc_.', b'"account":"acc_g', header)


def test_all_but_the_signatures_fits(log, copied):
    leaf, statement = log.forged(another_account)
    database = copied([statement, *log.rewritten(leaf)])
    said = f"size {log.signed_next}: stored signature: a signature by a known key does not verify"
    refused(log.verify(database=database), said)
    refused(log.verify(database=database, user="postgres"), said)


def test_rewritten_as_a_whole(log, copied):
    """Without stored signatures it agrees with itself: what is known from elsewhere tells."""
    leaf, statement = log.forged(another_account)
    database = copied([statement, *log.rewritten(leaf), f"DELETE FROM registry.log_signature WHERE size > {log.index}"])
    assert log.verify(database=database).returncode == 0, "a signature before it still holds"
    refused(log.verify("--since", log.anchor, database=database),
            f"size {log.anchored[0]}: the root is not the one signed in {log.anchor}")
    receipt = log.file("good.receipt", log.receipt)
    refused(log.verify("--receipt", receipt, database=database),
            f"size {tlog.Receipt(log.receipt, log.key).checkpoint.size}: the root is not the one signed in")
    early = log.file("early.checkpoint", note_of(log.early))
    assert log.verify("--since", early, database=database).returncode == 0, "that part is as it was"


@pytest.mark.parametrize("how, first", [("inserted", "size {}: the root"), ("reordered", "size {}: the root"),
                                        ("removed", "the log ends at size {less}, but")])
def test_all_made_to_fit(log, copied, how, first):
    """Inserted, reordered or removed, and all that rests on it made to fit: a checkpoint from elsewhere tells."""
    database = copied(getattr(log, how)())
    done = log.verify(database=database, user="postgres")
    assert done.returncode == 0, done.stderr
    refused(log.verify("--since", log.anchor, database=database), first.format(log.anchored[0], less=log.size - 1))
    receipt = log.file("good.receipt", log.receipt)
    wrong = tlog.Receipt(log.receipt, log.key)
    refused(log.verify("--receipt", receipt, database=database),
            f"(entry {wrong.index} is not the one of the receipt|size {wrong.checkpoint.size}: the root is not the one signed in"
            f"|the log ends at size {log.size - 1}, but)")
    early = log.file("early.checkpoint", note_of(log.early))
    assert log.verify("--since", early, database=database).returncode == 0, "that part is as it was"


# ---- from where an earlier run ended -----------------------------------------------------------


@pytest.fixture
def state(log):
    """A state file that the tool may replace."""
    path = log.instance.folder / "keys/keeper/verified"
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


def put(path, text):
    path.write_text(text)
    path.chmod(0o644)


def test_state(log, state):
    done = log.verify("--state", state)
    assert done.returncode == 0 and f"{log.size} entries in {len(log.batches)} batches" in done.stdout, done.stderr
    assert tlog.Checkpoint(state.read_text(), log.key).size == log.signed[-1]
    done = log.verify("--state", state)
    assert done.returncode == 0, done.stderr
    assert f"{log.size - log.signed[-1]} entries in" in done.stdout and f"{log.signed[-1]} entries before them were checked before" in done.stdout
    assert [path.name for path in state.parent.glob("verified*")] == ["verified"]


def test_state_goes_on(log, state):
    early = tlog.Checkpoint(note_of(log.early), log.key)
    put(state, note_of(log.early))
    receipt = log.file("good.receipt", log.receipt)
    done = log.verify("--state", state, "--since", log.anchor, "--receipt", receipt, "--stats")
    assert done.returncode == 0, done.stderr
    assert f"{early.size} entries before them were checked before" in done.stdout
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["entries"] == figures["headers"] == log.size - early.size and figures["peak_rss_bytes"] < 200 << 20
    assert tlog.Checkpoint(state.read_text(), log.key).size == log.signed[-1]


def test_state_and_what_is_older(log, state):
    """A checkpoint from before the state is proven consistent with it."""
    first = log.file("first.checkpoint", note_of(log.early))
    put(state, note_of(log.receipt))
    done = log.verify("--state", state, "--since", first)
    assert done.returncode == 0, done.stderr


def test_state_after_it(log, copied, state):
    put(state, note_of(log.early))
    database = copied(ENTRY.format("leaf_hash = sha256('x')", log.index))
    refused(log.verify("--state", state, database=database), LEAF.format(log.index))
    assert state.read_text() == note_of(log.early), "it holds what was verified, and nothing later"


def test_state_before_it(log, copied, state):
    """What was checked before is not read again but for what the tree needs; --full reads all."""
    put(state, note_of(log.early))
    size = tlog.Checkpoint(note_of(log.early), log.key).size
    database = copied(ENTRY.format("header = '{}'", 7))
    assert log.verify("--state", state, database=database).returncode == 0
    put(state, note_of(log.early))
    refused(log.verify("--state", state, "--full", database=database), LEAF.format(7))
    leaf, statement = log.forged(another_account)
    database = copied([statement, *log.rewritten(leaf), "TRUNCATE registry.log_signature"])
    put(state, note_of(log.receipt))
    refused(log.verify("--state", state, database=database), "the root is not the one signed in .*: the log was rewritten or forked")
    database = copied(ENTRY.format(f"header = {literal(log.entries[1].header)}", size - 1))
    put(state, note_of(log.early))
    refused(log.verify("--state", state, database=database), f"entry {size - 1} is not the one that was checked before")
    database = copied("TRUNCATE registry.log_subtree")
    put(state, note_of(log.receipt))
    refused(log.verify("--state", state, database=database), "stored hashes below it are missing")


def test_state_of_another_log(log, state):
    put(state, note_of(log.early)[:-20] + "\n")
    done = log.verify("--state", state)
    assert done.returncode == 1 and "checkpoint" in done.stderr, done.stderr


def test_two_checkpoints_of_one_size(log):
    """Both signed: that is a fork, whatever the log says."""
    note = log.file("one.checkpoint", note_of(log.receipt))
    done = log.instance.tool("log", "verify", "--vkey", log.vkey, "--since", note, "--since", note)
    assert done.returncode == 0, done.stderr


def test_exit_statuses(log):
    """What cannot be read is no proof of anything."""
    verify = ["log", "verify"]
    tool = log.instance.tool
    assert tool(*verify, "--vkey", log.vkey, "--database", "host=/nowhere dbname=x").returncode == 3
    assert tool(*verify, "--vkey", log.vkey, "--dir", "/nowhere").returncode == 3
    assert tool(*verify, "--vkey", log.vkey, "--receipt", "/nowhere").returncode == 3
    assert tool(*verify, "--vkey", log.vkey, "--url", "https://127.0.0.1:1/log", "--dir", "/nowhere").returncode == 2
    for options in (["--url", "http://127.0.0.1/log"], ["--full", "--dir", "x"], ["--entries", "x", "--database", "x"], ["--state", "x"],
                    ["--since", "x"], []):
        assert tool(*verify, "--vkey", log.vkey, *options).returncode == 2, options


def test_not_the_entry_of_a_receipt(log, copied):
    entry = log.entries[log.receipt_index - 1]
    database = copied(ENTRY.format(f"header = {literal(entry.header)}, header_salt = {literal(entry.salt)}, d_subject = "
                                   f"{literal(entry.d_subject)}, leaf_hash = {literal(entry.leaf)}", log.receipt_index))
    receipt = log.file("good.receipt", log.receipt)
    refused(log.verify("--receipt", receipt, database=database), f"entry {log.receipt_index} is not the one of the receipt")


@pytest.mark.parametrize("known", ["anchor", "checkpoint", "receipt"])
def test_cut_off(log, copied, known):
    """Put back to an older state: nothing inside tells, every later checkpoint does."""
    later = tlog.Receipt(log.receipt, log.key).checkpoint.size
    size = next(batch.size for batch in reversed(log.batches) if log.signed[1] <= batch.size < log.receipt_index)
    database = copied(log.cut(size))
    done = log.verify(database=database, user="postgres")
    assert done.returncode == 0 and f"{size} entries" in done.stdout, done.stderr
    option, path, had = {
        "anchor": ("--since", log.anchor, f"({log.anchored[0]}|{log.anchored[1]})"),
        "checkpoint": ("--since", log.file("later.checkpoint", note_of(log.receipt)), later),
        "receipt": ("--receipt", log.file("good.receipt", log.receipt), later)}[known]
    refused(log.verify(option, path, database=database), f"the log ends at size {size}, but {path} shows that it had {had}")
    early = log.file("early.checkpoint", note_of(log.early))
    assert log.verify("--since", early, database=database).returncode == 0


def test_cut_off_and_a_signature_forgotten(log, copied):
    size = log.batch.size
    database = copied([s for s in log.cut(size) if "log_signature" not in s])
    refused(log.verify(database=database), f"size {log.signed[-1]} was signed, but the log ends at {size}")


# ---- keys --------------------------------------------------------------------------------------


def test_signatures_by_an_unknown_key(log, copied):
    """One that nobody gave the key of is counted, not believed: without another the log is refused."""
    key, identity, _ = new_key(log.key.name)
    lines = {}
    for batch in (b for b in log.batches if b.size in log.signed):
        text = f"{log.key.name}\n{batch.size}\n{base64.b64encode(batch.root).decode()}\n"
        blob = base64.b64encode(identity + key.sign(text.encode())).decode()
        lines[batch.size] = f"UPDATE registry.log_signature SET line = E'\u2014 {log.key.name} {blob}\\n' WHERE size = {batch.size}"
    done = log.verify(database=copied(lines[log.signed[-1]]))
    assert done.returncode == 0, done.stderr
    assert "1 are by keys not given" in done.stdout
    assert f"signed up to entry {log.signed[-2] - 1};" in done.stdout
    log.instance.psql(OVERRIDE + ";\n".join(lines.values()), COPY)
    refused(log.verify(database=COPY), "no stored signature is by the keys given")


def test_the_wrong_key(log):
    refused(log.verify(vkey=new_key(log.key.name)[2]), "no stored signature is by the keys given")
    refused(log.verify("--since", log.anchor, vkey=new_key(log.key.name)[2]), "not signed by a known key")
    refused(log.verify(vkey=new_key("other.example/log")[2]), "entry 0: its header names another log")


def test_not_a_checkpoint(log):
    note = note_of(log.receipt)
    size, root = note.split("\n")[1:3]
    wrong = {"empty": "", "zeros": "\0" * 8192, "cut short": note[:-10], "its size": note.replace(size, str(int(size) - 1), 1),
             "its root": note.replace(root, base64.b64encode(log.batch.root).decode(), 1), "no signature": note.partition("\n\n")[0]}
    for what, text in wrong.items():
        done = log.verify("--since", log.file("wrong.checkpoint", text))
        assert done.returncode == 1 and done.stderr, f"{what}: {done.stdout}"
    assert log.verify("--since", log.instance.folder / "none").returncode == 3


# ---- receipts, with nothing but the key ------------------------------------------------------------


class Parts:
    """A receipt taken apart, to be put together again with one part altered."""

    def __init__(self, text):
        head, _, self.note = text.partition("\n\n")
        first, extra, index, *self.path = head.split("\n")
        assert first == tlog.PROOF_HEAD and extra.startswith("extra ") and index.startswith("index ") and self.path
        self.extra, self.index = json.loads(base64.b64decode(extra[6:])), int(index[6:])

    def text(self):
        extra = base64.b64encode(json.dumps(self.extra).encode()).decode()
        return "\n".join([tlog.PROOF_HEAD, "extra " + extra, f"index {self.index}", *self.path]) + "\n\n" + self.note


def other_bit(text, at=0):
    """Base64 with one bit of the bytes changed."""
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def other_hex(text):
    return ("0" if text[0] != "0" else "1") + text[1:]


def with_path(p, path):
    p.path = path


def with_line(p, line, change):
    lines = p.note.split("\n")
    lines[line] = change(lines[line])
    p.note = "\n".join(lines)


def with_signature(p, change):
    with_line(p, 4, lambda line: line.rsplit(" ", 1)[0] + " " + change(line.rsplit(" ", 1)[1]))


def header_with(p, pattern, text):
    header = re.sub(pattern, text, p.extra["header"])
    assert header != p.extra["header"]
    p.extra["header"] = header


RECEIPTS = {
    "the index before": lambda p: setattr(p, "index", p.index - 1),
    "the index after": lambda p: setattr(p, "index", p.index + 1),
    "an index beyond": lambda p: setattr(p, "index", 1 << 40),
    "the first hash": lambda p: with_path(p, [other_bit(p.path[0]), *p.path[1:]]),
    "a hash in the midst": lambda p: with_path(p, [*p.path[:3], other_bit(p.path[3], 31), *p.path[4:]]),
    "the last hash": lambda p: with_path(p, [*p.path[:-1], other_bit(p.path[-1])]),
    "a hash too few": lambda p: with_path(p, p.path[:-1]),
    "a hash too many": lambda p: with_path(p, [*p.path, p.path[-1]]),
    "two hashes exchanged": lambda p: with_path(p, [p.path[1], p.path[0], *p.path[2:]]),
    "the header's account": lambda p: header_with(p, '"account":"acc_.', '"account":"acc_g'),
    "the header's outcome": lambda p: header_with(p, '"outcome":"ok"', '"outcome":"forbidden"'),
    "a space in the header": lambda p: header_with(p, '"v":1', '"v": 1'),
    "the salt": lambda p: p.extra.update(header_salt=other_hex(p.extra["header_salt"])),
    "no salt": lambda p: p.extra.pop("header_salt"),
    "the subject's digest": lambda p: p.extra.update(d_subject=other_hex(p.extra["d_subject"])),
    "the extra's version": lambda p: p.extra.update(v=2),
    "the checkpoint's origin": lambda p: with_line(p, 0, lambda line: "other." + line),
    "the checkpoint's size": lambda p: with_line(p, 1, lambda line: str(int(line) + 1)),
    "the checkpoint's root": lambda p: with_line(p, 2, other_bit),
    "the signature": lambda p: with_signature(p, lambda blob: other_bit(blob, 40)),
    "the signature's key": lambda p: with_signature(p, other_bit),
    "the signature's name": lambda p: with_line(p, 4, lambda line: line.replace("\u2014 ", "\u2014 x")),
    "no signature": lambda p: with_line(p, 4, lambda line: ""),
}


def test_a_good_receipt(log):
    for text, index in ((log.receipt, log.receipt_index), (log.early, 100), (Parts(log.receipt).text(), log.receipt_index)):
        done = log.instance.verify_receipt(text)
        assert done.returncode == 0, done.stderr
        assert f"entry {index} is in the log of " in done.stdout
    header = json.loads(log.receipt_entry["header"])
    for member in ("account", "organization", "operation", "outcome", "request_id", "time"):
        assert header[member] in done.stdout


@pytest.mark.parametrize("what", RECEIPTS)
def test_an_altered_receipt(log, what):
    parts = Parts(log.receipt)
    assert len(parts.path) >= 5
    RECEIPTS[what](parts)
    assert parts.text() != Parts(log.receipt).text()
    refused(log.instance.verify_receipt(parts.text()), ".")


def test_every_character_counts(log):
    """One character changed anywhere, in steps that reach every part."""
    for at in range(0, len(log.receipt), 5):
        was = log.receipt[at]
        text = log.receipt[:at] + ("B" if was == "A" else "A") + log.receipt[at + 1:]
        done = log.instance.verify_receipt(text)
        assert done.returncode == 1, f"character {at}, {was!r}: {done.stdout}"


def test_a_receipt_cut_short_or_longer(log):
    for text in ("", "\n", log.receipt[:1], log.receipt[:200], log.receipt[:-1], log.receipt + "x", log.receipt + log.receipt,
                 log.receipt.replace("\n", "\r\n"), "x" * 1_000_000, "\0" * 100):
        assert log.instance.verify_receipt(text).returncode == 1, text[:40]


def test_a_receipt_with_its_subject(log):
    """Who may see the subject can show that it is the one that was logged."""
    parts = Parts(log.receipt)
    parts.extra.update(subject=log.receipt_entry["subject"], subject_salt=log.receipt_entry["subject_salt"])
    done = log.instance.verify_receipt(parts.text())
    assert done.returncode == 0 and "subject" in done.stdout, done.stderr
    parts.extra.update(subject=parts.extra["subject"].replace("127.0.0.1", "127.0.0.2"))
    refused(log.instance.verify_receipt(parts.text()), f"the subject is not the one that entry {log.receipt_index} was logged with")
    parts.extra.update(subject=log.receipt_entry["subject"], subject_salt=other_hex(log.receipt_entry["subject_salt"]))
    refused(log.instance.verify_receipt(parts.text()), "the subject is not the one")


def test_a_receipt_under_another_key(log):
    path = log.file("good.receipt", log.receipt)
    for vkey in (new_key(log.key.name)[2], new_key("other.example/log")[2]):
        refused(log.instance.tool("log", "verify", "--vkey", vkey, "--receipt", path), "not signed by a known key")
    wrong_hash = log.vkey.replace(f"+{log.key.id.hex()}+", f"+{other_hex(log.key.id.hex())}+")
    assert log.instance.tool("log", "verify", "--vkey", wrong_hash, "--receipt", path).returncode == 2
