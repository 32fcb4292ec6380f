# SPDX-License-Identifier: Apache-2.0
"""The public view of a log (C2SP tlog-tiles) as files, made from its leaves with nothing of Casetrace's
own, and an HTTPS server of such files."""

import http.server
import pathlib
import ssl
import threading

import tlog

WIDTH = 256


def tile_path(level, index, width=WIDTH):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/" + "/".join(groups) + (f".p/{width}" if width < WIDTH else "")


def put(folder, path, data):
    path = pathlib.Path(folder) / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def fold(hashes):
    while len(hashes) > 1:
        hashes = [tlog.sha256(b"\1", left, right) for left, right in zip(hashes[::2], hashes[1::2])]
    return hashes[0]


def write(folder, leaves, note):
    """All tiles and bundles of the log of these leaves, with that checkpoint."""
    for first in range(0, len(leaves), WIDTH):
        part = leaves[first:first + WIDTH]
        put(folder, tile_path("entries", first // WIDTH, len(part)), b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in part))
    hashes, level = [tlog.leaf_hash(leaf) for leaf in leaves], 0
    while hashes:
        for first in range(0, len(hashes), WIDTH):
            part = hashes[first:first + WIDTH]
            put(folder, tile_path(level, first // WIDTH, len(part)), b"".join(part))
        hashes, level = [fold(hashes[n:n + WIDTH]) for n in range(0, len(hashes) - WIDTH + 1, WIDTH)], level + 1
    put(folder, "checkpoint", note.encode())


class Server:
    """Serves folder as https://127.0.0.1:PORT/log/; counts what was asked for. Set `busy` to have the
    next requests answered 503."""

    def __init__(self, folder, certificate, key):
        self.asked, self.busy, server = [], 0, self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self):
                server.asked.append(self.path)
                if not self.path.startswith("/log/"):
                    self.send_error(404)
                elif server.busy:
                    server.busy -= 1
                    self.send_error(503)
                else:
                    self.path = self.path[4:]
                    super().do_GET()

            def log_message(self, *arguments):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/log"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
