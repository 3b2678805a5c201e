#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests that the load generator notices a backend that does one thing wrong, and reports it.

Usage: faults_test.py TTRPC-BENCH-LOAD
"""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

LOAD = None
HEADER = struct.Struct(">IIBB")
RESPONSE = 2


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def payload_of(request):
    """Finds the payload: service, method and payload come in this order, with one-byte lengths."""
    position = 0
    for _ in range(2):
        position += 2 + request[position + 1]
    assert request[position] == 0x1A
    return request[position + 2 :]


def reply(stream_id, payload, kind=RESPONSE):
    data = b"\x12" + varint(len(payload)) + payload
    return HEADER.pack(len(data), stream_id, kind, 0) + data


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class Backend:
    """Accepts one connection, and answers by answer(number, stream_id, payload, earlier)."""

    def __init__(self, path, answer):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        connection, _ = self._listener.accept()
        earlier = []
        with connection:
            try:
                while True:
                    length, stream_id, _, _ = HEADER.unpack(read_exactly(connection, HEADER.size))
                    payload = payload_of(read_exactly(connection, length))
                    answer = self._answer(len(earlier), stream_id, payload, earlier)
                    earlier.append((stream_id, payload))
                    if answer is None:
                        return
                    connection.sendall(answer)
            except (EOFError, ConnectionError):
                pass

    def close(self):
        self._thread.join()
        self._listener.close()


def run(answer, calls=10):
    """Returns the exit status and the standard error of a generator with two calls in flight."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "backend.sock")
        backend = Backend(path, answer)
        command = [LOAD, "--socket", path, "--calls", str(calls), "--in-flight", "2"]
        done = subprocess.run(
            command + ["--lost-after", "2"], capture_output=True, text=True, timeout=60
        )
        backend.close()
    return done


class FaultsTest(unittest.TestCase):
    def expect_failure(self, message, fault):
        """Returns a function that answers the fifth request by `fault`, and others correctly."""

        def answer(number, stream_id, payload, earlier):
            if number == 4:
                return fault(stream_id, payload, earlier)
            return reply(stream_id, payload)

        done = run(answer)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stdout, "")
        self.assertIn(message, done.stderr)

    def test_a_right_backend_passes(self):
        done = run(lambda number, stream_id, payload, earlier: reply(stream_id, payload))
        self.assertEqual(done.returncode, 0, done)
        self.assertIn('"checked": 10', done.stdout)

    def test_a_flipped_bit(self):
        self.expect_failure(
            "is not what was sent", lambda i, p, _: reply(i, p[:-1] + bytes([p[-1] ^ 1]))
        )

    def test_a_short_reply(self):
        self.expect_failure("is not what was sent", lambda i, p, _: reply(i, p[:-1]))

    def test_an_empty_reply(self):
        self.expect_failure("is not what was sent", lambda i, p, _: HEADER.pack(0, i, RESPONSE, 0))

    def test_the_reply_of_another_call(self):
        self.expect_failure("is not what was sent", lambda i, _, earlier: reply(i, earlier[-1][1]))

    def test_a_reply_given_twice(self):
        self.expect_failure("no call waits for one", lambda i, p, _: reply(i, p) * 2)

    def test_a_reply_on_a_stream_never_opened(self):
        self.expect_failure("no call waits for one", lambda i, p, _: reply(i + 1000, p))

    def test_a_lost_call(self):
        self.expect_failure("1 calls lost: no reply", lambda i, p, _: b"")

    def test_a_closed_connection(self):
        self.expect_failure("connection closed", lambda i, p, _: None)

    def test_an_error_status(self):
        status = b"\x0a\x06\x08\x07\x12\x02no"
        self.expect_failure(
            "status 7: no", lambda i, p, _: HEADER.pack(len(status), i, RESPONSE, 0) + status
        )

    def test_a_message_that_is_no_response(self):
        self.expect_failure("a message that is no response", lambda i, p, _: reply(i, p, kind=3))

    def test_an_envelope_that_does_not_parse(self):
        self.expect_failure(
            "does not parse", lambda i, p, _: HEADER.pack(2, i, RESPONSE, 0) + b"\x12\x05"
        )

    def test_a_length_out_of_step(self):
        self.expect_failure(
            "out of step", lambda i, p, _: HEADER.pack(0x40000000, i, RESPONSE, 0)
        )


if __name__ == "__main__":
    LOAD = sys.argv.pop(1)
    unittest.main()
