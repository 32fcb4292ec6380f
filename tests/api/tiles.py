# SPDX-License-Identifier: Apache-2.0
"""A client of a log in tiles, written from the C2SP formats (signed-note, tlog-checkpoint, tlog-tiles)
and RFC 6962 with hashlib and python3-cryptography. It knows nothing of Casetrace: not what a leaf
means, not how the server stores or computes anything, and it trusts only a verifier key.

    log = Log(fetch, verifier_key)     fetch(path) -> bytes; raises or returns None where there is nothing
    tree = log.tree()                  the checkpoint's, with every tile and bundle verified
    log.check_extends(old, new)        by hashes of tiles alone
"""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
HASH = 32


class Wrong(Exception):
    """The log is not what it says it is."""


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def root_of(hashes):
    """RFC 6962, 2.1: the root over leaf hashes, level by level; a last odd one goes up as it is."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        above = [node(*hashes[i:i + 2]) for i in range(0, len(hashes) - 1, 2)]
        hashes = above + hashes[len(above) * 2:]
    return hashes[0]


def tile_path(level, number, width=WIDTH):
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/" + "/".join(groups) + (f".p/{width}" if width < WIDTH else "")


def open_checkpoint(note, verifier_key):
    """(origin, size, root) of a signed checkpoint that the key has signed."""
    name, key_id, key = verifier_key.strip().split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[0] != 1 or hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        raise Wrong("not a verifier key for Ed25519")
    text, blank, signatures = note.decode().rpartition("\n\n")
    text += "\n"
    if not blank or not signatures.endswith("\n"):
        raise Wrong("not a signed note")
    signed = False
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        raw = base64.b64decode(blob, validate=True)
        if dash == "\u2014" and signer == name and raw[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], text.encode())
            signed = True
    if not signed:
        raise Wrong("the key did not sign it")
    origin, size, root = text.splitlines()[:3]
    if size != str(int(size)) or origin != name:
        raise Wrong("not a checkpoint of this log")
    return origin, int(size), base64.b64decode(root, validate=True)


class Tree:
    """A verified tree: its size, root, the hashes of its leaves and what the leaves are."""

    def __init__(self, size, root):
        self.size, self.root, self.hashes, self.leaves = size, root, [], []


class Log:
    def __init__(self, fetch, verifier_key):
        self.fetch, self.key = fetch, verifier_key

    def checkpoint(self):
        return open_checkpoint(self.need("checkpoint"), self.key)

    def need(self, path):
        data = self.fetch(path)
        if data is None:
            raise Wrong(f"{path} is missing")
        return data

    def hashes(self, level, size):
        """All hashes of a level of the tree of that size, from its tiles."""
        count, found = size >> (8 * level), []
        for number in range((count + WIDTH - 1) // WIDTH):
            width = min(WIDTH, count - number * WIDTH)
            data = self.need(tile_path(level, number, width))
            if len(data) != HASH * width:
                raise Wrong(f"{tile_path(level, number, width)} has {len(data)} bytes")
            found += [data[at:at + HASH] for at in range(0, len(data), HASH)]
        return found

    def bundle(self, number, width):
        """The entries of a bundle: each with its length in two bytes before it."""
        data, entries, at = self.need(tile_path("entries", number, width)), [], 0
        while at < len(data):
            length = int.from_bytes(data[at:at + 2], "big")
            if at + 2 + length > len(data):
                raise Wrong("a bundle is cut short")
            entries.append(data[at + 2:at + 2 + length])
            at += 2 + length
        if len(entries) != width:
            raise Wrong(f"a bundle of {width} has {len(entries)} entries")
        return entries

    def tree(self, checkpoint=None):
        """Fetches and checks everything below a checkpoint: root, every tile, every bundle."""
        _, size, root = checkpoint or self.checkpoint()
        tree = Tree(size, root)
        tree.hashes = self.hashes(0, size)
        if root_of(tree.hashes) != root:
            raise Wrong("the leaves do not give the root")
        below, level = tree.hashes, 1
        while size >> (8 * level):
            expected = [root_of(below[at:at + WIDTH]) for at in range(0, len(below) - WIDTH + 1, WIDTH)]
            if self.hashes(level, size) != expected:
                raise Wrong(f"level {level} is not made of the one below")
            below, level = expected, level + 1
        for number in range((size + WIDTH - 1) // WIDTH):
            tree.leaves += self.bundle(number, min(WIDTH, size - number * WIDTH))
        if [leaf_hash(data) for data in tree.leaves] != tree.hashes:
            raise Wrong("the entries do not hash to the leaves")
        return tree

    def check_extends(self, old, new):
        """That one checkpoint's tree is the beginning of the other's, both from the newer one's tiles."""
        (_, old_size, old_root), (_, new_size, new_root) = old, new
        if old_size > new_size:
            raise Wrong("the log has shrunk")
        for size, root in ((old_size, old_root), (new_size, new_root)):
            if self.root_from_tiles(size, new_size) != root:
                raise Wrong(f"the tiles do not give the root of size {size}")

    def root_from_tiles(self, size, published):
        """The root of a tree of that size out of few tiles, all of them published ones of a larger tree."""
        root, at = None, size
        for level in range(size.bit_length()):  # complete subtrees from the right, the smallest first
            if not size >> level & 1:
                continue
            at -= 1 << level
            subtree = self.subtree(level, at >> level, published)
            root = subtree if root is None else node(subtree, root)
        return hashlib.sha256(b"").digest() if root is None else root

    def subtree(self, level, index, published):
        """The hash over leaves [index * 2^level, + 2^level): a run of one tile, hashed up."""
        up = level % 8
        first = index << up
        number, within = divmod(first, WIDTH)
        width = min(WIDTH, (published >> (level - up)) - number * WIDTH)
        data = self.need(tile_path((level - up) // 8, number, width))
        run = [data[at * HASH:(at + 1) * HASH] for at in range(within, within + (1 << up))]
        return root_of(run)
