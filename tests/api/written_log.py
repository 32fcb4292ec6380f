# SPDX-License-Identifier: Apache-2.0
"""An access log that a real keeper wrote and nobody writes any more, and the tree over it computed anew:
what a test needs to alter a log as somebody would who knows how it is made and may do everything."""

import base64
import collections
import concurrent.futures
import configparser

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import tlog
from client import Api, Client, People
from instance import wait_for

MACHINES = 8
ENTRIES = 600  # two subtrees of 256 and some more
SIGNATURES = 4

Entry = collections.namedtuple("Entry", "index leaf header salt d_subject")
Batch = collections.namedtuple("Batch", "first count size root epoch")


def literal(data):
    """Bytes as SQL writes them."""
    return "'\\x" + data.hex() + "'"


def new_key(name):
    """A signing key, its id and its verifier key of that name."""
    key = Ed25519PrivateKey.generate()
    raw = b"\1" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    identity = tlog.sha256(name.encode(), b"\n", raw)[:4]
    return key, identity, f"{name}+{identity.hex()}+{base64.b64encode(raw).decode()}"


def note_of(receipt):
    """The signed checkpoint in a receipt."""
    return receipt.partition("\n\n")[2]


class Tree:
    """What the keeper stores of the tree over leaf hashes, computed anew (RFC 6962)."""

    def __init__(self):
        self.size, self.nodes, self.subtrees = 0, [], {}

    def append(self, leaf):
        self.nodes.append((0, leaf))
        self.size += 1
        while len(self.nodes) > 1 and self.nodes[-1][0] == self.nodes[-2][0]:
            (level, right), (_, left) = self.nodes.pop(), self.nodes.pop()
            self.nodes.append((level + 1, tlog.sha256(b"\1", left, right)))
            if (level + 1) % 8 == 0:
                self.subtrees[level + 1, (self.size >> (level + 1)) - 1] = self.nodes[-1][1]

    @property
    def root(self):
        root = self.nodes[-1][1]
        for _, left in reversed(self.nodes[:-1]):
            root = tlog.sha256(b"\1", left, root)
        return root

    @property
    def frontier(self):
        return b"".join(node for _, node in reversed(self.nodes))


class Log:
    """What is in a stored log; the statements and the tool are run on databases that are copies of it."""

    def __init__(self, instance):
        self.instance = instance
        config = configparser.ConfigParser(interpolation=None)
        config.read(instance.configuration)
        self.connection = config["database"]["connection"]
        self.anchor = config["keeper"]["anchor"]
        self.vkey = (instance.folder / "verifier.key").read_text().splitlines()[0]
        self.key = tlog.VerifierKey(self.vkey)
        self.entries = [Entry(int(i), *map(bytes.fromhex, rest)) for i, *rest in self.rows(
            "idx, encode(leaf_hash, 'hex'), encode(header, 'hex'), encode(header_salt, 'hex'), encode(d_subject, 'hex') "
            "FROM registry.log_entry ORDER BY idx")]
        self.batches = [Batch(int(first), int(count), int(size), bytes.fromhex(root), int(epoch))
                        for first, count, size, root, epoch in self.rows(
                            "first_idx, count, size, encode(root, 'hex'), epoch FROM registry.log_batch ORDER BY size")]
        self.signed = [int(size) for size, in self.rows("size FROM registry.log_signature ORDER BY size")]
        self.size = len(self.entries)
        places = (self.instance.folder / "keys/keeper/anchor").read_text().split("\0")
        self.anchored = sorted(tlog.Checkpoint(place, self.key).size for place in places if place)
        # In the midst of the second run: a batch of several entries whose end was not signed, with
        # signatures before and after it and a batch of the same epoch behind it.
        self.batch, self.next_batch = next(
            (one, after) for one, after in zip(self.batches, self.batches[1:])
            if one.count >= 3 and one.epoch == after.epoch == 2 and one.size not in self.signed
            and after.size not in self.signed and self.signed[1] < one.first and after.size < self.signed[-1])
        self.index = self.batch.first + 1
        self.signed_next = next(size for size in self.signed if size > self.index)

    def rows(self, what, database="casetrace"):
        return [line.split("|") for line in self.instance.psql("SELECT " + what, database).splitlines()]

    def conninfo(self, database, user="casetrace_auditor"):
        return self.connection.replace("dbname=casetrace", f"dbname={database}").replace("casetrace_keeper", user)

    def verify(self, *options, database="casetrace", user="casetrace_auditor", vkey=None):
        return self.instance.tool("log", "verify", "--vkey", vkey or self.vkey,
                                  "--database", self.conninfo(database, user), *options)

    def file(self, name, text):
        path = self.instance.folder / name
        path.write_text(text)
        return path

    # ---- statements of somebody who knows how the log is made --------------------------------

    def forged(self, change):
        """The leaf of the entry in the midst with that change to its header, and the statement that stores both."""
        entry = self.entries[self.index]
        header = change(entry.header)
        assert header != entry.header
        leaf = tlog.leaf_hash(tlog.leaf_bytes({"header": header.decode(), "header_salt": entry.salt.hex(),
                                               "d_subject": entry.d_subject.hex()}))
        return leaf, (f"UPDATE registry.log_entry SET header = {literal(header)}, leaf_hash = {literal(leaf)} "
                      f"WHERE idx = {self.index}")

    def rewritten(self, leaf):
        """All roots, subtrees and the frontier, as they are with another leaf at that index."""
        tree, statements = Tree(), []
        ends = {batch.size for batch in self.batches}
        for entry in self.entries:
            tree.append(leaf if entry.index == self.index else entry.leaf)
            if tree.size in ends:
                statements.append(f"UPDATE registry.log_batch SET root = {literal(tree.root)} WHERE size = {tree.size}")
        statements += [f"UPDATE registry.log_subtree SET hash = {literal(node)} WHERE level = {level} AND idx = {index}"
                       for (level, index), node in tree.subtrees.items()]
        return statements + [f"UPDATE registry.log_head SET frontier = {literal(tree.frontier)}"]

    def recomputed(self, leaves, ends):
        """All roots, subtrees and the head, as they are over other leaves in batches that end there."""
        tree, statements = Tree(), []
        for leaf in leaves:
            tree.append(leaf)
            if tree.size in ends:
                statements.append(f"UPDATE registry.log_batch SET root = {literal(tree.root)} WHERE size = {tree.size}")
        rows = [f"({level}, {index}, {literal(node)})" for (level, index), node in tree.subtrees.items()]
        return statements + ["DELETE FROM registry.log_subtree", f"INSERT INTO registry.log_subtree VALUES {', '.join(rows)}",
                             f"DELETE FROM registry.log_signature WHERE size > {self.index}",
                             f"UPDATE registry.log_head SET size = {tree.size}, frontier = {literal(tree.frontier)}"]

    def shifted(self, by):
        """All after the entry in the midst by one index, its batch one longer or shorter."""
        far = 5_000_000  # two rows never have the same index meanwhile
        return [f"UPDATE registry.log_entry SET idx = idx + {far} WHERE idx > {self.index}",
                f"UPDATE registry.log_entry SET idx = idx - {far} + {by} WHERE idx >= {far}",
                f"UPDATE registry.log_batch SET size = size + {far} WHERE first_idx > {self.index}",
                f"UPDATE registry.log_batch SET size = size + {by}, count = count + {by} WHERE size = {self.batch.size}",
                f"UPDATE registry.log_batch SET size = size - {far} + {by}, first_idx = first_idx + {by} WHERE size >= {far}"]

    def inserted(self):
        """Behind the entry in the midst a copy of it, and all that follows computed anew."""
        leaves = [entry.leaf for entry in self.entries]
        ends = {batch.size + (batch.size > self.index) for batch in self.batches}
        return [*self.shifted(1), f"INSERT INTO registry.log_entry SELECT {self.index + 1}, leaf_hash, header, header_salt, d_subject, "
                f"subject_sealed, subject_salt_sealed FROM registry.log_entry WHERE idx = {self.index}",
                *self.recomputed(leaves[:self.index + 1] + leaves[self.index:], ends)]

    def removed(self):
        """Without the entry in the midst, and all that follows computed anew."""
        leaves = [entry.leaf for entry in self.entries]
        ends = {batch.size - (batch.size > self.index) for batch in self.batches}
        return [f"DELETE FROM registry.log_entry WHERE idx = {self.index}", *self.shifted(-1),
                *self.recomputed(leaves[:self.index] + leaves[self.index + 1:], ends)]

    def reordered(self):
        """The entry in the midst and the one behind it exchanged, and all that follows computed anew."""
        leaves = [entry.leaf for entry in self.entries]
        one, far = self.index, 5_000_000
        leaves[one], leaves[one + 1] = leaves[one + 1], leaves[one]
        return [f"UPDATE registry.log_entry SET idx = {to} WHERE idx = {at}"
                for at, to in ((one, far), (one + 1, one), (far, one + 1))] + self.recomputed(leaves, {b.size for b in self.batches})

    def cut(self, size):
        """The log as it was at that size."""
        tree = Tree()
        for entry in self.entries[:size]:
            tree.append(entry.leaf)
        return [f"DELETE FROM registry.log_signature WHERE size > {size}",
                f"DELETE FROM registry.log_batch WHERE size > {size}",
                f"DELETE FROM registry.log_entry WHERE idx >= {size}",
                f"DELETE FROM registry.log_subtree WHERE (idx + 1) << level > {size}",
                f"UPDATE registry.log_head SET size = {size}, frontier = {literal(tree.frontier)}"]


def grown(instance, auditor, entries, signatures):
    """Lets people read until the log has that many entries and stored signatures."""
    def enough():
        with concurrent.futures.ThreadPoolExecutor(MACHINES) as pool:
            list(pool.map(lambda _: auditor.get("/v1/me"), range(5 * MACHINES)))
        counts = instance.psql("SELECT (SELECT size FROM registry.log_head), count(*), max(size) FROM registry.log_signature")
        size, count, signed = map(int, counts.split("|"))
        return size >= entries and count >= signatures and size > signed
    wait_for(enough, 60, f"{entries} entries and {signatures} signatures")


def written(instance, contract):
    """Starts the instance, has a log written over two runs and stops the daemon. PostgreSQL goes on."""
    instance.start()
    key = tlog.VerifierKey((instance.folder / "verifier.key").read_text().splitlines()[0])
    auditor = People(Client(Api(instance, contract, key), instance.administrator_key)).auditor()
    grown(instance, auditor, ENTRIES // 3, 2)
    early = auditor.get("/v1/log/receipts/100")["tlog_proof"]
    instance.stop_daemon()  # the next start is a takeover and a new epoch
    instance.start_daemon()
    instance.wait_ready()
    grown(instance, auditor, ENTRIES, SIGNATURES)
    index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
    receipt = auditor.get(f"/v1/log/receipts/{index}")["tlog_proof"]
    entry = auditor.get(f"/v1/log/entries/{index}").body
    assert instance.stop_daemon() == 0
    log = Log(instance)
    log.early, log.receipt, log.receipt_index, log.receipt_entry = early, receipt, index, entry
    return log
