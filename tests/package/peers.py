#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The two ends of a connection that must outlive an upgrade, with the necessary parts of ttrpc.

    peers.py serve SOCKET    prints `ready`, and answers every request with its own payload
    peers.py hold SOCKET     keeps one connection, makes a call for each line of standard input with
                             the line as the payload, and prints the answer's payload, or `closed`
"""
import socket
import struct
import sys
import threading

HEADER = struct.Struct(">IIBB")
REQUEST, RESPONSE = 1, 2


def field(number, value):
    """Returns a protobuf field of bytes, which must be fewer than 128."""
    return bytes([number << 3 | 2, len(value)]) + value


def fields(message):
    """Returns the bytes fields of a message, each of fewer than 128 bytes."""
    found, at = {}, 0
    while at < len(message):
        number, wire, value = message[at] >> 3, message[at] & 7, message[at + 1]
        at += 2
        if wire == 2:
            found[number] = message[at:at + value]
            at += value
        else:  # a varint below 128
            found[number] = value
    return found


def send(connection, stream, kind, data):
    connection.sendall(HEADER.pack(len(data), stream, kind, 0) + data)


def receive(reader):
    header = reader.read(HEADER.size)
    if len(header) < HEADER.size:
        return None, None
    length, stream, _, _ = HEADER.unpack(header)
    return stream, reader.read(length)


def answer(connection):
    reader = connection.makefile("rb")
    while True:
        stream, data = receive(reader)
        if data is None:
            return
        send(connection, stream, RESPONSE, field(2, fields(data).get(3, b"")))


def serve(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def hold(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        reader = connection.makefile("rb")
        stream = 1
        for line in sys.stdin:
            request = field(1, b"test.Echo") + field(2, b"Say") + field(3, line.strip().encode())
            try:
                send(connection, stream, REQUEST, request)
                _, data = receive(reader)
            except OSError:
                data = None
            stream += 2
            found = {} if data is None else fields(data)
            print("closed" if data is None else found.get(2, b"no answer").decode(), flush=True)


if __name__ == "__main__":
    {"serve": serve, "hold": hold}[sys.argv[1]](sys.argv[2])
