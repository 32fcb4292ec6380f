# SPDX-License-Identifier: Apache-2.0
"""A log that was forked: one database, put back and gone on with under the same keys. Both continuations
agree with themselves; checkpoints and receipts of one tell on the other where they part."""

import os
import re
import tempfile

import pytest

import tlog
from client import Api, Client, People
from instance import Instance, wait_for
from written_log import note_of

OTHER = "forked"


class Continuation:
    """What somebody keeps of one of the two."""

    def __init__(self, instance, auditor):
        self.instance = instance
        self.receipts = []
        for _ in range(3):
            for _ in range(7):
                auditor.get("/v1/me")
            index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
            self.receipts.append(auditor.get(f"/v1/log/receipts/{index}")["tlog_proof"])


@pytest.fixture(scope="module")
def forked(contract):
    """Runs a daemon on a database and then, with the anchor of before, on a copy that was made of it before."""
    with tempfile.TemporaryDirectory(prefix="casetrace-fork-") as folder:
        os.chmod(folder, 0o755)  # as root the parts run as other users
        instance = Instance(folder, pg=["fsync=off"])
        try:
            instance.start()
            key = tlog.VerifierKey((instance.folder / "verifier.key").read_text().splitlines()[0])
            auditor = People(Client(Api(instance, contract, key), instance.administrator_key)).auditor()
            for _ in range(300):
                auditor.get("/v1/me")
            index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
            common = auditor.get(f"/v1/log/receipts/{index}")["tlog_proof"]
            signed = tlog.Receipt(common, key).checkpoint.size
            wait_for(lambda: int(instance.psql("SELECT coalesce(max(size), 0) FROM registry.log_signature")) >= signed, 20, "signed")
            assert instance.stop_daemon() == 0
            size = int(instance.psql("SELECT size FROM registry.log_head"))
            instance.psql(f"CREATE DATABASE {OTHER} TEMPLATE casetrace", "postgres")
            configuration = instance.configuration.read_text()
            anchor = re.search(r"^anchor = (.*)$", configuration, re.M).group(1)
            instance.as_keeper("cp", anchor, anchor + ".other", check=True)

            def run():
                instance.start_daemon()
                instance.wait_ready()
                kept = Continuation(instance, auditor)
                assert instance.stop_daemon() == 0
                return kept

            first = run()
            instance.configuration.write_text(configuration.replace("dbname=casetrace", f"dbname={OTHER}")
                                              .replace(f"anchor = {anchor}", f"anchor = {anchor}.other"))
            second = run()
            connection = re.search(r"^connection = (.*)$", configuration, re.M).group(1).replace("casetrace_keeper", "casetrace_auditor")
            yield {"instance": instance, "key": key, "size": size, "common": common, "logs": {
                "casetrace": first, OTHER: second}, "connection": connection, "anchor": {"casetrace": anchor, OTHER: anchor + ".other"}}
        finally:
            instance.stop()


def verify(forked, database, *options):
    vkey = (forked["instance"].folder / "verifier.key").read_text().splitlines()[0]
    return forked["instance"].tool("log", "verify", "--vkey", vkey, *(
        ["--database", forked["connection"].replace("dbname=casetrace", f"dbname={database}")] if database else []), *options)


def files(forked, name, texts):
    paths = []
    for number, text in enumerate(texts):
        paths.append(forked["instance"].folder / f"{name}.{number}")
        paths[-1].write_text(text)
    return paths


def options(option, paths):
    return [word for path in paths for word in (option, path)]


@pytest.mark.parametrize("database", ["casetrace", OTHER])
def test_each_holds_by_itself(forked, database):
    own = forked["logs"][database]
    common, receipts = files(forked, "common", [forked["common"]]), files(forked, "own", own.receipts)
    done = verify(forked, database, "--since", forked["anchor"][database], *options("--receipt", common + receipts))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("database, other", [("casetrace", OTHER), (OTHER, "casetrace")])
def test_the_other_ones_checkpoints(forked, database, other):
    """The smallest size at which they differ is named, whatever order they are given in, and the last at which they do not."""
    theirs = [note_of(receipt) for receipt in forked["logs"][other].receipts]
    sizes = [tlog.Checkpoint(note, forked["key"]).size for note in theirs]
    assert sizes == sorted(sizes) and sizes[0] > forked["size"]
    common = files(forked, "common", [note_of(forked["common"])])
    paths = files(forked, "theirs", theirs)
    done = verify(forked, database, *options("--since", [*reversed(paths), *common]))
    said = (rf"size {sizes[0]}: the root is not the one signed in {paths[0]}: the log was rewritten or forked after size "
            rf"{tlog.Checkpoint(note_of(forked['common']), forked['key']).size}, where it is as {common[0]} has it")
    assert done.returncode == 1 and re.search(said, done.stderr), done.stderr


@pytest.mark.parametrize("database, other", [("casetrace", OTHER), (OTHER, "casetrace")])
def test_the_other_ones_receipts(forked, database, other):
    """A receipt names the entry that is another."""
    receipts = forked["logs"][other].receipts
    indexes = [tlog.Receipt(receipt, forked["key"]).index for receipt in receipts]
    done = verify(forked, database, *options("--receipt", files(forked, "theirs", reversed(receipts))))
    assert done.returncode == 1 and re.search(f"entry {indexes[0]} is not the one of the receipt", done.stderr), done.stderr


@pytest.mark.parametrize("database, other", [("casetrace", OTHER), (OTHER, "casetrace")])
def test_the_other_ones_state_and_anchor(forked, database, other):
    state = forked["instance"].folder / "keys/keeper/verified"
    state.write_text(note_of(forked["logs"][other].receipts[1]))
    state.chmod(0o644)
    for given in (["--state", state], ["--state", state, "--full"], ["--since", forked["anchor"][other]]):
        done = verify(forked, database, *given)
        assert done.returncode == 1 and re.search(r"size \d+: the root is not the one signed in|the log ends at size \d+, but",
                                                  done.stderr), done.stderr


def test_checkpoints_of_one_size(forked):
    """The same requests to both: two checkpoints of one size are enough, without any log."""
    notes = {database: [note_of(receipt) for receipt in kept.receipts] for database, kept in forked["logs"].items()}
    sizes = [{tlog.Checkpoint(note, forked["key"]).size: note for note in both} for both in notes.values()]
    common = sorted(sizes[0].keys() & sizes[1].keys())
    assert common, "the two went on with the same requests one after the other"
    one, other = files(forked, "one", [sizes[0][common[0]]]), files(forked, "other", [sizes[1][common[0]]])
    done = verify(forked, None, *options("--since", one + other))
    assert done.returncode == 1 and f"size {common[0]}: " in done.stderr and "the log was forked" in done.stderr, done.stderr
