#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between the keeper and PostgreSQL and loses a COMMIT on the way when it is told to.

    commit_proxy.py --port P --socket /path/.s.PGSQL.5432

Run as the keeper's user, since PostgreSQL asks the kernel who connects. Each line on standard input is one
order, carried out at the next batch of a lane; when it has been, the order is repeated on standard output:

    dropped    nothing of the COMMIT arrives; both sides are cut
    crossed    it is handed over, and both sides are cut at the same moment: nobody knows
    answered   it arrives and is carried out; its answer is lost
    late       the keeper is cut off at once; what appends to the log and the COMMIT arrive up to 150 ms later,
               so that nothing holds the head of the log while the keeper asks what has become of the batch"""

import argparse
import queue
import random
import socket
import struct
import sys
import threading
import time

orders = queue.SimpleQueue()
says = threading.Lock()


def say(text):
    with says:
        print(text, flush=True)


def close(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()


def what_is(message):
    # Parse and Bind: type, length, two names or texts that end in NUL.
    if message[:1] == b"P" and message[5:].split(b"\0", 2)[1] == b"COMMIT":
        return "commit"
    if message[:1] == b"B" and message[5:].split(b"\0", 2)[1] == b"log_append":
        return "append"
    return None


class Session:
    """One connection of the keeper: messages towards the server are read one by one."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.is_lane = False
        self.lost = threading.Event()  # what the server says from now on reaches nobody
        self.waiting, self.committed = False, threading.Event()

    def to_client(self):
        tail = b""
        try:
            while data := self.server.recv(1 << 16):
                if self.waiting:
                    # CommandComplete: type, length 11, "COMMIT", NUL; it may come in two pieces.
                    tail = tail[-11:] + data
                    if b"C\0\0\0\x0bCOMMIT\0" in tail:
                        self.committed.set()
                if not self.lost.is_set():
                    self.client.sendall(data)
        except OSError:
            pass
        self.committed.set()
        if not self.lost.is_set():
            close(self.client, self.server)

    def messages(self):
        """(bytes, "append", "commit" or None) of each message; the first ones have no type."""
        buffer, started = b"", False
        while True:
            head = 5 if started else 4
            while len(buffer) >= head:
                length = struct.unpack("!I", buffer[head - 4:head])[0] + head - 4
                if len(buffer) < length:
                    break
                message, buffer = buffer[:length], buffer[length:]
                if not started:
                    # 3.0; requests for encryption come before and are answered with one byte.
                    started = message[4:8] == b"\0\3\0\0"
                    self.is_lane = b"casetrace lane" in message
                yield message, what_is(message) if started else None
            data = self.client.recv(1 << 16)
            if not data:
                return
            buffer += data

    def carry_out(self, order, rest, messages):
        self.lost.set()
        if order == "dropped":
            return
        # The keeper has sent all of it before it waits.
        for message, _ in messages:
            rest += message
            if message[:1] == b"S":
                break
        if order == "late":
            close(self.client)
            time.sleep(random.uniform(0, 0.15))
        self.waiting = True
        self.server.sendall(rest)
        if order != "crossed":
            self.committed.wait(10)

    def to_server(self):
        order, done = None, False
        try:
            messages = self.messages()
            for message, what in messages:
                if what == "append" and self.is_lane and order is None:
                    try:
                        order = orders.get_nowait()
                    except queue.Empty:
                        pass
                done = what == ("append" if order == "late" else "commit") and order is not None
                if done:
                    self.carry_out(order, message, messages)
                    break
                self.server.sendall(message)
        except OSError:
            pass
        self.lost.set()
        close(self.client, self.server)
        if done:
            say(order)
        elif order:
            orders.put(order)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--socket", required=True)
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", arguments.port))
    say("listening")

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(arguments.socket)
            except OSError:
                close(client)
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(client, server)
            for direction in (session.to_client, session.to_server):
                threading.Thread(target=direction, daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    for line in sys.stdin:
        orders.put(line.strip())


if __name__ == "__main__":
    main()
