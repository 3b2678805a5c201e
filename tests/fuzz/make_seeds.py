#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of tests/fuzz, which are committed: tests/fuzz/make_seeds.py"""
import pathlib
import struct

SEEDS = pathlib.Path(__file__).parent / "seeds"


def seed(target, name, data):
    path = SEEDS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def counted(data):
    return bytes([len(data)]) + data


def field(number, data):
    return bytes([number << 3 | 2]) + counted(data)


def message(data, stream, kind, flags=0):
    return struct.pack(">IIBB", len(data), stream, kind, flags) + data


REQUEST = field(1, b"f.S") + field(2, b"Echo") + field(3, b"body")
FULL_REQUEST = REQUEST + b"\x20\x80\x94\xeb\xdc\x03" + field(5, field(1, b"k") + field(2, b"v"))
DETAIL = field(1, b"type.googleapis.com/a.B") + field(2, b"\x08\x01")
ERROR = field(1, b"\x08\x05" + field(2, b"no such thing") + field(3, DETAIL))

# Codec: limit, lengths of the pieces, stream.
seed("codec", "two_messages", b"\xff" + counted(b"\x03\x04") +
     message(b"hello", 1, 1) + message(b"", 1, 3, 5))
seed("codec", "oversized_between", b"\x04" + counted(b"\x07") +
     message(b"abcd", 1, 1) + message(b"abcde", 3, 3) + message(b"x", 5, 2))
seed("codec", "malformed", b"\x10" + counted(b"") + message(b"a", 1, 1) + b"\x01" + bytes(20))
seed("codec", "cut", b"\x10" + counted(b"\x01") + message(b"abcdefgh", 1, 1)[:-3])

seed("request", "plain", REQUEST)
seed("request", "full", FULL_REQUEST)
seed("request", "unknown", REQUEST + field(9, b"x") + b"\x39" + bytes(8) + b"\x45" + bytes(4))
seed("request", "repeated", REQUEST + REQUEST)
seed("request", "group", b"\x33\x34")
seed("request", "negative_timeout", REQUEST + b"\x20" + b"\xff" * 9 + b"\x01")
seed("request", "timeout_of_65_bits", REQUEST + b"\x20" + b"\xff" * 9 + b"\x02")
seed("request", "bad_utf8", field(1, b"\xed\xa0\x80"))

# A payload, of which the fields 1 and 2 are wanted.
seed("payload", "id", field(1, b"web-1"))
seed("payload", "both", field(2, b"x") + b"\x18\x07" + field(1, "\u00e9".encode()))
seed("payload", "repeated", field(1, b"own") + field(1, b"other"))
seed("payload", "wrong_type", b"\x08\x01")
seed("payload", "bad_utf8", field(1, b"\xed\xa0\x80"))
seed("payload", "group", field(1, b"a") + b"\x1b\x1c")
seed("payload", "cut", field(1, b"abc")[:-1])

seed("response", "reply", field(2, b"body"))
seed("response", "error", ERROR)
seed("response", "repeated", ERROR + field(1, b"\x08\x07") + field(2, b"") + field(2, b"a"))
seed("response", "negative_code", field(1, b"\x08" + b"\xff" * 9 + b"\x01"))

for number, text in enumerate([
        "unix:///run/a.sock", "unix-abstract:name", "unix://@name", "vsock:3:1024", "unix:///",
        "unix:///" + "a" * 106, "unix-abstract:" + "a" * 107, "tcp:1", "unix:///a\0b",
        "hvsock:///run/vm:1/v.sock:1024", "hvsock:///" + "a" * 106 + ":0",
        "vsock:4294967294:4294967294", "vsock:-1:4294967296", "vsock://3:1024",
        "ttrpc+unix:///run/a.sock", "ttrpc+vsock://3:1024"]):
    seed("address", f"{number}", text.encode())

seed("hybrid_vsock", "accepted", b"\x01OK 1073741824\nand more")
seed("hybrid_vsock", "refused", b"\x03ERR\n")
seed("hybrid_vsock", "endless", b"\x07OK " + b"1" * 40)

for name, text in {
        "bootstrap": '{"version":3,"address":"unix:///run/containerd/s/1f","protocol":"ttrpc"}',
        "newer": '{"version":4,"address":"a","protocol":"ttrpc","x":[{"y":null}]}',
        "repeated": '{"address":"a","Address":"b","protocol":"grpc"}',
        "config": '{"process":{"args":["a"]},"annotations":{"a":"1","b":"2"},"mounts":[{"a":"no"}]}',
        "no_text": '{"annotations":{"a":1}}', "nested": '{"a":' + "[" * 80,
        "address": "unix:///run/containerd/s/1f\n", "vsock": "ttrpc+vsock://3:1024",
        "abstract": "/containerd-shim/k8s.io/x/shim.sock"}.items():
    seed("bundle", name, text.encode())

OK = b"HTTP/1.1 200 OK\r\n"
seed("agent_answer", "counted", b"\x05" + OK + b"Content-Length: 14\r\n\r\nvsock://3:1024")
seed("agent_answer", "until_end", b"\x01HTTP/1.0 200\n\nhvsock:///run/k.hvsock:1024")
seed("agent_answer", "chunked", b"\x07" + OK +
     b"Transfer-Encoding: chunked\r\n\r\n8;x=y\r\nvsock://\r\n6\r\n3:1024\r\n0\r\n\r\n")
seed("agent_answer", "two_lengths", b"\x09" + OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")
seed("agent_answer", "missing", b"\x20HTTP/1.1 404 Not Found\r\n\r\n")

CONFIG = """[daemon]
drain_timeout = "10s"
[log]
level = "info"
[audit]
calls = "denied"
target = "log"
on_error = "drop"
rate_per_user = 100
[limits]
message_size = "4MiB"
[timeouts]
call = "1s"
call_max = "5m"
[[listener]]
name = "front"
address = "unix:///run/a.sock"
owner = "root"
group = "root"
mode = "0660"
unknown_fields = "drop"
[[backend]]
name = "back"
address = "unix-abstract:x"
users = ["root", 1]
connect_timeout = "2s"
wait = "5s"
on_disconnect = "fail-calls"
forward_identity = true
[[backend]]
name = "machine"
addresses = ["vsock:3:1024", "hvsock:///run/vm.sock:1024"]
balance = "round-robin"
"""
RULES = """[[rule]]
name = "a"
users = ["root", "1000-2000", 7]
groups = ["*"]
methods = ["/a.B/*", "/a.*/Get*"]
metadata = {k = "v"}
action = "allow"
backend = "back"
streams = true
call_max = "1s"
audit = "all"
enforce = false
[[rule]]
name = "b"
action = "deny"
methods = ["/*/*"]
"""
seed("config", "whole", (CONFIG + RULES).encode())
seed("config", "two_files", CONFIG.encode() + b"\0" + RULES.encode())
SETS = """[method_sets]
ours = ["/a.B/*", "@theirs", "@containerd/State"]
theirs = ["/c.D/E", "@nri-plugin"]
kata-read = ["/a.B/C"]
[[rule]]
name = "a"
action = "deny"
methods = ["@ours", "@kata-read", "/x.Y/Z"]
"""
seed("config", "method_sets", SETS.encode())
seed("config", "method_sets_circle", SETS.replace("@nri-plugin", "@ours").encode())
seed("config", "errors", b"[log]\nlevel = 1\nlvel = \"x\"\n[admin]\n[[rule]]\nname = ''\n")
DISCOVERY = """[[listener]]
name = "fronts"
discover = "containerd"
state = "/run/containerd"
address = "unix:///run/x/{namespace}/{id}.sock"
[[listener]]
name = "all"
discover = "containerd"
address = "unix:///run/all.sock"
[[listener]]
name = "vms"
discover = "kata"
directories = ["/run/kata"]
address = "unix:///run/k/{id}"
[[listener]]
name = "others"
discover = "directory"
directory = "/run/agents"
address = "unix:///run/d/{name}"
[[backend]]
name = "found"
address = "discovered"
[[rule]]
name = "own"
listeners = ["fronts", "all"]
users = ["*"]
methods = ["/containerd.task.v3.Task/State"]
namespaces = ["k8s.io"]
ids = ["{uid}-*", "{user}", "a\\\\*"]
annotations = { "a.b/c" = "team-*" }
action = "allow"
backend = "found"
"""
seed("config", "discovery", DISCOVERY.encode())
seed("config", "dotted", b"log.level = \"debug\"\n\"timeouts\" . call = \"5s\" # a.b\n")

for number, text in enumerate(["/a.B/*\n/a.B/Get", "*a*b\nxxaxxb", "a*\na/b", "\n", "*\n",
                               "a.b\na.b", "**a*\nbca", "*ab*ab\nabababab"]):
    seed("pattern", f"{number}", text.encode())

for number, text in enumerate(["{uid}-*\n\n1000-web", "*a*b\ndev\nxxaxxb", "{user}\n*\n*",
                               "x-{user}-*\n\nx-dev", "a\\*{gid}\n\na*20", "{name}\n\n", "\n",
                               "**\n\na/b"]):
    seed("name_pattern", f"{number}", text.encode())

for number, text in enumerate([
        b"GET / HTTP/1.1\r\nHost: localhost:9464\r\nAccept: */*\r\n\r\n",
        b"HEAD /metrics?x=1 HTTP/1.0\n\n", b"GET /a HTTP/1.1\r\nhost:[::1]\r\n\r\nGET /b HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n", b"GET / HTTP/1.1\n\r\n"]):
    seed("http", f"{number}", text)

AUDIT = ('{"time":"2024-01-31T23:59:59.000001Z","event":"call","listener":"l","pid":1,"uid":%s,"gid":0,"service":"%s","method":"%s",'
         '"kind":"%s","rule":"r","enforced":%s,"backend":"%s","code":"OK"}')
seed("audit", "calls", "\n".join([
    AUDIT % (0, "a.B", "Do", "unary", "true", "back"), AUDIT % (1000, "a.B", "Do", "unary", "true", "back"),
    AUDIT % (1000, "a.B", "Go", "stream", "true", "back"), AUDIT % (7, "a.B", "Do", "unary", "false", "other"),
]).encode() + b"\n")
seed("audit", "others", b"""2026 info ready
Nov 27 host ttrpc-proxyd[1]: {"event":"deny","listener":"l","uid":5,"service":"a","method":"B","kind":"unary"}
{"event":"deny","uid":5,"suppressed":100}
{"event":"call","listener":"l\\"\\u001b","uid":4294967294,"service":"a.*","method":"*","kind":"unary","backend":"b"}
{"event":"ca""")

# Stream machine: the request's flags, then (who, flags).
seed("stream_state", "unary", b"\x00\x00\x00\x01\x00\x02\x00")
seed("stream_state", "both", b"\x02\x00\x00\x01\x00\x00\x05\x01\x05")
seed("stream_state", "closes_twice", b"\x06\x00\x01\x00\x05\x00\x00")
seed("stream_state", "down", b"\x01\x01\x00\x01\x05\x00\x04")

TURN, READ = b"\x04", b"\x05"
METHODS = ["Echo", "Hang", "Late", "Fail", "Count", "Join", "Chat", "NeverRead", "None"]


def request(stream, method, payload=b"", flags=0, timeout=0):
    return (b"\x00" + bytes([stream, flags, METHODS.index(method)]) + counted(payload) +
            bytes([timeout]))


def data(stream, payload=b"", flags=0):
    return b"\x01" + bytes([stream, flags]) + counted(payload)


seed("server", "unary", b"\x00" + request(1, "Echo", b"hello") + request(3, "None") +
     request(5, "Fail", b"xx") + TURN + READ)
seed("server", "streams", b"\x00" + request(1, "Count", b"abc", 1) + request(3, "Join", b"", 6) +
     data(3, b"a") + data(3, b"b", 1) + request(5, "Chat", b"", 2) + TURN + data(5, b"x") + TURN +
     data(5, b"", 5) + TURN + READ)
seed("server", "refused", b"\x00" + request(2, "Echo") + request(1, "Hang") + request(1, "Echo") +
     data(1, b"x") + data(7, b"x") + TURN + READ)
seed("server", "limits", b"\x0f" + request(1, "NeverRead", b"x" * 60, 2) + data(1, b"x" * 60) +
     data(1, b"x" * 60) + request(3, "Hang") + request(5, "Hang") + request(7, "Echo") + TURN)
seed("server", "oversized", b"\x01" + request(1, "Echo", b"x" * 200) + request(1, "Chat", b"", 2) +
     data(1, b"x" * 100) + TURN + READ)
seed("server", "timeouts", b"\x00" + request(1, "Hang", b"", 0, 255) +
     request(3, "Late", b"", 0, 210) + request(5, "Hang", b"", 0, 254) + TURN + TURN + READ)
seed("server", "shutdown", b"\x00" + request(1, "Hang") + TURN + b"\x07\x00" + TURN +
     request(3, "Echo") + READ)
seed("server", "destroyed", b"\x10" + request(1, "Hang") + request(3, "Chat", b"", 2) + TURN)
seed("server", "raw", b"\x00\x06" + counted(message(REQUEST, 1, 1)) + TURN + READ)


def respond(stream, payload=b"", code=0):
    return b"\x02" + bytes([stream, code]) + counted(payload)


def feed(stream, payload=b"", flags=0):
    return b"\x04" + bytes([stream, flags]) + counted(payload)


def unary(payload=b"", timeout=0):
    return b"\x00" + bytes([timeout]) + counted(payload)


def opened(kind, request_payload=None, timeout=0):
    first = b"" if request_payload is None else counted(request_payload)
    return b"\x01" + bytes([timeout, kind]) + first


def on(call, operation, more=b""):
    return bytes([operation, call]) + more


STEP = b"\x07"
CANCEL, DROP, RECEIVE, SEND, FINISH = 10, 11, 12, 13, 14
seed("client", "unary", b"\x00" + unary(b"a") + unary(b"b") + STEP + respond(3, b"y") +
     respond(1, b"", 5) + STEP)
seed("client", "down", b"\x00" + opened(0, b"q") + on(0, RECEIVE) + STEP + feed(1, b"one") +
     feed(1, b"two") + feed(1, b"", 5) + STEP + on(0, FINISH, b"\x01") + STEP)
seed("client", "up", b"\x00" + opened(1) + on(0, SEND, counted(b"a")) + on(0, FINISH, b"\x01") +
     STEP + respond(1, b"sum") + STEP)
seed("client", "both", b"\x00" + opened(2) + on(0, SEND, counted(b"a")) + on(0, FINISH, b"\x00") +
     on(0, RECEIVE) + STEP + feed(1, b"x", 1) + STEP + respond(1) + STEP)
seed("client", "unread", b"\x02" + opened(2) + feed(1, b"x" * 90) + feed(1, b"x" * 90) + unary() +
     STEP + respond(3) + STEP)
seed("client", "dropped", b"\x00" + unary() + opened(2) + on(0, DROP) + STEP + respond(1) +
     on(0, CANCEL) + STEP + b"\x0f\x00" + STEP)
seed("client", "wrong", b"\x00" + unary() + opened(1) + STEP + feed(1, b"x") + feed(3, b"y") +
     feed(2) + respond(9) + b"\x09" + counted(b"\x01\x00") + STEP)
seed("client", "ids_used_up", b"\x04" + unary() + unary() + unary() + unary() + STEP + respond(5))
seed("client", "deadline", b"\x00" + unary(b"", 251) + unary(b"", 255) + STEP + STEP)
seed("client", "oversized", b"\x01" + unary(b"x" * 100) + unary() + STEP + respond(1, b"x" * 100) +
     STEP)
