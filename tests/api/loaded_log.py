# SPDX-License-Identifier: Apache-2.0
"""Makes a log large in seconds: entries as the keeper would have written them, valid in every part,
put into the database of a registry that is set up and whose daemon does not run."""

import base64
import hashlib
import hmac
import json
import subprocess

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tlog
from written_log import Tree, literal

BATCH = 256


def header(origin, index):
    return json.dumps({"epoch": 0, "operation": "loaded", "origin": origin, "outcome": "ok", "server": "loader",
                       "time": f"2026-11-01T{index // 3_600_000 % 24:02d}:{index // 60_000 % 60:02d}:{index // 1000 % 60:02d}."
                               f"{index % 1000:03d}Z", "v": 1}, sort_keys=True, separators=(",", ":")).encode()


def entry(origin, index):
    """(header, its salt, D_subject, leaf bytes) of an entry whose subject was never written down."""
    text = header(origin, index)
    salt, subject = (hashlib.sha256(f"{kind} {index}".encode()).digest() for kind in ("salt", "subject"))
    d_header = hmac.digest(salt, text, "sha256")
    return text, salt, subject, b"\1" + tlog.sha256(b"audit-entry/v1\0", d_header, subject)


class Loader:
    """What is loaded: the roots of the sizes asked for, and the leaves."""

    def __init__(self, instance, size, ends=()):
        """Appends entries up to that size; a batch ends at each of ends, so that it can have a checkpoint."""
        self.instance = instance
        self.origin = (instance.folder / "verifier.key").read_text().split("+")[0]
        first = instance.psql("SELECT encode(leaf_hash, 'hex') FROM registry.log_entry ORDER BY idx").split()
        assert len(first) == 1, "a log that was just begun"
        self.tree, self.roots, self.leaves = Tree(), {}, []
        self.tree.append(bytes.fromhex(first[0]))
        self.roots[1] = self.tree.root
        self.fill(size, sorted({*ends, size, *range(BATCH, size, BATCH)}))

    def fill(self, size, ends):
        rows, batches, begin = [], [], 1
        for index in range(1, size):
            text, salt, subject, leaf = entry(self.origin, index)
            self.leaves.append(leaf)
            self.tree.append(tlog.leaf_hash(leaf))
            rows.append("\t".join([str(index), *("\\\\x" + data.hex() for data in (tlog.leaf_hash(leaf), text, salt, subject))]))
            if index + 1 in ends:
                self.roots[index + 1] = self.tree.root
                batches.append("\t".join([str(begin), str(index + 1 - begin), str(index + 1), "\\\\x" + self.tree.root.hex()]))
                begin = index + 1
        subtrees = ["\t".join([str(level), str(index), "\\\\x" + node.hex()])
                    for (level, index), node in self.tree.subtrees.items()]
        self.copy("log_entry (idx, leaf_hash, header, header_salt, d_subject)", rows)
        self.copy("log_subtree (level, idx, hash)", subtrees)
        self.instance.psql("CREATE TABLE public.loading (first_idx bigint, count int, size bigint, root bytea)")
        self.copy("loading", batches, "public")
        self.instance.psql(
            "INSERT INTO registry.log_batch (batch_id, first_idx, count, size, root, epoch) "
            "SELECT gen_random_uuid(), first_idx, count, size, root, 0 FROM public.loading ORDER BY size; "
            f"UPDATE registry.log_head SET size = {size}, frontier = {literal(self.tree.frontier)}; DROP TABLE public.loading")

    def copy(self, target, lines, schema="registry"):
        done = subprocess.run(self.instance.command("psql", "-d", "casetrace", "-qc", f"COPY {schema}.{target} FROM STDIN"),
                              input="".join(line + "\n" for line in lines), text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def note(self, size):
        """A checkpoint of that size, signed with the registry's own key."""
        ring = json.loads((self.instance.folder / "keys/keeper/keyring.json").read_text())
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(ring["log_keys"][0]["seed"]))
        text = f"{self.origin}\n{size}\n{base64.b64encode(self.roots[size]).decode()}\n"
        key_id = bytes.fromhex((self.instance.folder / "verifier.key").read_text().split("+")[1])
        line = base64.b64encode(key_id + key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.origin} {line}\n"

    def publish(self, sizes, minutes_ago=0):
        """Has these sizes, and no others, be those that were published, the largest so long ago."""
        rows = ", ".join(f"({size}, {literal(self.note(size).encode())}::bytea)" for size in sizes)
        self.instance.psql(
            "SET session_replication_role = replica; DELETE FROM registry.log_published; "
            "INSERT INTO registry.log_published (size, note, at) "
            f"SELECT v.size, convert_from(v.note, 'UTF8'), now() - {minutes_ago} * interval '1 minute' FROM (VALUES {rows}) AS v(size, note)")
