"""Speaks HTTP/2 in the clear by the library h2 to the port given; prints PASS for each part."""
import socket
import sys

import h2.config
import h2.connection
import h2.events

PORT = int(sys.argv[1])
SOCK = socket.create_connection(("127.0.0.1", PORT), timeout=20)
CONN = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
SEEN = {}  # by stream: status, interims, body, trailer, ended, reset


def flush():
    SOCK.sendall(CONN.data_to_send())


def pump():
    data = SOCK.recv(65536)
    if not data:
        raise SystemExit("the connection ended")
    for e in CONN.receive_data(data):
        s = SEEN.get(getattr(e, "stream_id", None))
        if isinstance(e, h2.events.ConnectionTerminated):
            raise SystemExit("GOAWAY %s" % e)
        if s is None:
            continue
        if isinstance(e, h2.events.InformationalResponseReceived):
            s["interims"].append(dict(e.headers)[":status"])
        elif isinstance(e, h2.events.ResponseReceived):
            s["head"] = dict(e.headers)
        elif isinstance(e, h2.events.DataReceived):
            s["body"] += e.data
            if not s["reset"]:
                CONN.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.TrailersReceived):
            s["trailer"] = dict(e.headers)
        elif isinstance(e, h2.events.StreamEnded):
            s["ended"] = True
        elif isinstance(e, h2.events.StreamReset):
            raise SystemExit("stream %d was reset" % e.stream_id)
    flush()


def begin(method, path, end):
    stream = CONN.get_next_available_stream_id()
    SEEN[stream] = {"interims": [], "head": None, "body": b"", "trailer": None, "ended": False, "reset": False}
    fields = [(":method", method), (":scheme", "http"), (":authority", "localhost:%d" % PORT), (":path", path)]
    CONN.send_headers(stream, fields + ([] if end else [("trailer", "sum")]), end_stream=end)
    flush()
    return stream, SEEN[stream]


def send(stream, body):
    while body:
        room = min(CONN.local_flow_control_window(stream), CONN.max_outbound_frame_size)
        if room == 0:
            pump()
            continue
        CONN.send_data(stream, body[:room])
        flush()
        body = body[room:]


def finish(s):
    while not s["ended"]:
        pump()


CONN.initiate_connection()
flush()

_, s = begin("GET", "/echo", True)
finish(s)
assert s["head"][":status"] == "200" and s["head"]["saw"] == "Bearer secret-of-the-test", s
print("PASS an answer, with the token")
assert s["interims"] == ["103"], s
print("PASS an interim answer")

body = bytes(range(256)) * 1200
stream, s = begin("POST", "/echo", False)
send(stream, body)
CONN.send_headers(stream, [("sum", "34")], end_stream=True)
flush()
finish(s)
assert s["body"] == body, (len(s["body"]), len(body))
print("PASS an upload and its echo, within the windows")
assert s["trailer"] == {"sum": "34"}, s["trailer"]
print("PASS trailers, both ways")

stream, s = begin("GET", "/endless", True)
while len(s["body"]) < 200000:
    pump()
s["reset"] = True
CONN.reset_stream(stream)
flush()
_, s = begin("GET", "/echo", True)
finish(s)
assert s["head"][":status"] == "200"
print("PASS a request behind a reset")

many = [begin("GET", "/echo", True)[1] for _ in range(50)]
for s in many:
    finish(s)
assert all(s["head"][":status"] == "200" for s in many)
print("PASS many at once")
CONN.close_connection()
flush()
