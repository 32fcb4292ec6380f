# SPDX-License-Identifier: Apache-2.0
"""Checks receipts and checkpoints with nothing of Casetrace's own: hashlib and python3-cryptography.
Written from the formats (RFC 6962, C2SP signed-note, tlog-checkpoint, tlog-proof), not from the C."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PROOF_HEAD = "c2sp.org/tlog-proof@v1"


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(data):
    return sha256(b"\0", data)


def root_from_inclusion(index, size, leaf, path):
    """RFC 9162, 2.1.3.2; raises ValueError where it fails."""
    if index >= size:
        raise ValueError("the index lies outside the tree")
    fn, sn, root = index, size - 1, leaf
    for node in path:
        if sn == 0:
            raise ValueError("the proof is too long")
        if fn & 1 or fn == sn:
            root = sha256(b"\1", node, root)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = sha256(b"\1", root, node)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ValueError("the proof is too short")
    return root


def check_consistency(old_size, old_root, new_size, new_root, proof):
    """RFC 9162, 2.1.4.2; raises ValueError where it fails."""
    def expect(holds):
        if not holds:
            raise ValueError("the newer tree does not extend the older one")
    expect(old_size <= new_size)
    if old_size == new_size or old_size == 0:
        expect(not proof and (old_size == 0 or old_root == new_root))
        return
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    expect(path)
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for node in path[1:]:
        expect(sn)
        if fn & 1 or fn == sn:
            fr, sr = sha256(b"\1", node, fr), sha256(b"\1", node, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha256(b"\1", sr, node)
        fn, sn = fn >> 1, sn >> 1
    expect(sn == 0 and fr == old_root and sr == new_root)


class VerifierKey:
    """NAME+HASH+BASE64 of type byte 1 and an Ed25519 public key."""

    def __init__(self, text):
        self.name, hash_hex, key = text.strip().split("+", 2)
        raw = base64.b64decode(key, validate=True)
        if raw[0] != 1 or len(raw) != 33:
            raise ValueError("not an Ed25519 verifier key")
        self.id = sha256(self.name.encode(), b"\n", raw)[:4]
        if self.id.hex() != hash_hex:
            raise ValueError("the key's hash is wrong")
        self.key = Ed25519PublicKey.from_public_bytes(raw[1:])


class Checkpoint:
    """A signed note of a checkpoint whose signature by key verifies."""

    def __init__(self, note, key):
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        self.origin, size, root = text.split("\n")[:3]
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        self.text = text
        for line in signatures.strip("\n").split("\n"):
            dash, name, blob = line.split(" ")
            raw = base64.b64decode(blob, validate=True)
            if dash == "\u2014" and name == key.name and raw[:4] == key.id:
                key.key.verify(raw[4:], text.encode())  # raises InvalidSignature
                return
        raise ValueError("no signature by " + key.name)


class Proof:
    """The parts of a tlog-proof; check() raises where it does not hold."""

    def __init__(self, text):
        head, _, self.note = text.partition("\n\n")
        lines = head.split("\n")
        if lines[0] != PROOF_HEAD:
            raise ValueError("not a tlog-proof")
        extra = [line[6:] for line in lines if line.startswith("extra ")]
        index = [line[6:] for line in lines if line.startswith("index ")]
        self.extra = base64.b64decode(extra[0], validate=True)
        self.index = int(index[0])
        self.path = [base64.b64decode(line, validate=True) for line in lines[1 + len(extra) + len(index):]]

    def check(self, leaf, key):
        checkpoint = Checkpoint(self.note, key)
        if root_from_inclusion(self.index, checkpoint.size, leaf_hash(leaf), self.path) != checkpoint.root:
            raise ValueError("the leaf is not in the tree")
        return checkpoint


class Receipt:
    """A receipt of the access log that verifies: index, header (a dict), checkpoint."""

    def __init__(self, text, key):
        proof = Proof(text)
        self.index = proof.index
        self.extra = json.loads(proof.extra)
        self.header = json.loads(self.extra["header"])
        self.checkpoint = proof.check(leaf_bytes(self.extra), key)


def commitment(salt, text):
    return hmac.new(salt, text.encode(), hashlib.sha256).digest()


def leaf_bytes(extra):
    """The leaf from what its holder knows: header, its salt and the commitment to the subject."""
    d_header = commitment(bytes.fromhex(extra["header_salt"]), extra["header"])
    d_subject = bytes.fromhex(extra["d_subject"])
    if extra.get("subject") is not None and commitment(bytes.fromhex(extra["subject_salt"]), extra["subject"]) != d_subject:
        raise ValueError("the subject is not the one committed to")
    return b"\1" + sha256(b"audit-entry/v1\0", d_header, d_subject)
