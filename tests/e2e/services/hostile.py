#!/usr/bin/env python3
"""A service for the tests that answers and publishes rightly, and sends as much rubbish in between: mangled, repeated, late,
reordered and oversized frames (proto/bus.md 2.2). Usage: hostile.py CALLS EVENTS"""
import json
import os
import random
import struct
import sys

import zmq

HEADER = struct.Struct(">3sBBBHI16sQI")
HELLO, CALL, REPLAY, HEADS, EVENT = 1, 2, 3, 4, 5
ANSWER, ERROR = 1, 2
EPOCH = "00c0ffee00c0ffee"
STREAM = "tick/all"
INCARNATION = os.urandom(8).hex()
SDL = """
type Query { twice(n: Int!): Int! @public }
type Mutation { tick(n: Int!): Tick! @public }
type Subscription { ticks: Tick @public @aws_subscribe(mutations: ["tick"]) }
type Tick { n: Int! }
"""
rng = random.Random(11)
log = []  # payloads; seq is the index + 1


def record(verb, flags, call_id, body):
    data = json.dumps(body).encode()
    return HEADER.pack(b"PRL", 1, verb, flags, 0, len(data), call_id, 0, 0) + data


def event(seq, kind="data", payload=None, **more):
    body = {"stream": STREAM, "epoch": EPOCH, "seq": seq, "kind": kind, "incarnation": INCARNATION}
    if kind == "data":
        body.update(type="tick", payload=log[seq - 1] if payload is None and 0 < seq <= len(log) else payload)
    return record(EVENT, 0, bytes(16), {**body, **more})


def mangle(frame):
    frame = bytearray(frame)
    for _ in range(rng.randint(1, 6)):
        how, at = rng.randint(0, 3), rng.randrange(len(frame))
        if how == 0:
            frame[at] = rng.randrange(256)
        elif how == 1 and len(frame) > 50:
            del frame[at:at + rng.randint(1, 40)]
        elif how == 2:
            frame[at:at] = rng.randbytes(rng.randint(1, 40))
        elif len(frame) > 12:
            frame[8:12] = rng.choice([0, 1, 2**24 + 1, 2**31, 2**32 - 1]).to_bytes(4, "big")
    return bytes(frame)


def rubbish(answer):
    """What goes out around a true answer. Its id must not be kept by what is mangled: that would be an answer too."""
    other = answer[:12] + rng.randbytes(16) + answer[28:]
    return rng.choice([b"", b"x", rng.randbytes(100), mangle(other), other, other[:-1], other + b"PRL", record(CALL, 0, rng.randbytes(16), {"field": "Query.x"}),
                       HEADER.pack(b"PRL", 1, CALL, ANSWER, 0, 2**32 - 1, rng.randbytes(16), 0, 0), record(EVENT, 0, bytes(16), {})])


def publish(events, seq):
    """The event, and around it what must do no harm."""
    topic = STREAM.encode() + b"\0"
    frames = [event(seq), event(seq), event(rng.randint(1, seq)), event(seq, epoch="x"), event(0), event(-1), event(2**60),
              event(seq, kind="nonsense"), event(seq, stream="tick/other"), rng.randbytes(60), mangle(event(seq, stream="tick/other")), event(rng.randint(0, seq), "head", incarnation="another")]
    true = frames.pop(0)
    rng.shuffle(frames)
    late = [event(seq - 1)] if seq > 1 else []
    for frame in [*frames[:6], true, *frames[6:], *late]:
        events.send_multipart([topic, frame])
    events.send_multipart([topic])
    events.send_multipart([topic, true, b"three"])
    events.send_multipart([b"tick/all", true])


def answer(verb, body):
    if verb == REPLAY:
        after = body.get("after", 0)
        if body.get("last"):
            after = max(0, len(log) - body["last"])
        return {"stream": STREAM, "epoch": EPOCH, "head": len(log), "first": 1,
                "events": [{"seq": i + 1, "type": "tick", "payload": log[i]} for i in range(after, min(len(log), after + body["limit"]))]}
    if verb == HEADS:
        return {"epoch": EPOCH, "heads": [{"stream": stream, "head": len(log), "first": 1} for stream in body["streams"]]}
    field, args = body["field"], body.get("args", {})
    if field == "Query.twice":
        return 2 * args["n"]
    if field == "Mutation.tick":
        log.append({"n": args["n"]})
        return log[-1]
    return {"stream": STREAM, "epoch": EPOCH, "start": "live", "head": len(log)}


def main():
    context = zmq.Context.instance()
    router, events = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
    for socket, endpoint in ((router, sys.argv[1]), (events, sys.argv[2])):
        socket.linger = 0
        socket.bind(endpoint)
    events.setsockopt(zmq.XPUB_VERBOSE, 1)
    events.setsockopt(zmq.SNDHWM, 100000)
    manifest = {"name": "hostile", "instance": "h", "incarnation": INCARNATION, "version": "1", "sdl": SDL, "events": sys.argv[2], "epoch": EPOCH}
    poller = zmq.Poller()
    poller.register(router, zmq.POLLIN)
    poller.register(events, zmq.POLLIN)
    old = []
    while True:
        ready = dict(poller.poll())
        if events in ready:
            topic = events.recv()
            if topic[:1] == b"\x01":
                events.send_multipart([topic[1:], event(len(log), "head")])
        if router not in ready:
            continue
        batch = []
        while router.poll(0):
            batch.append(router.recv_multipart())
        rng.shuffle(batch)  # answers come in any order
        for peer, message in batch:
            offset = 0
            while offset < len(message):
                _, _, verb, _, _, size, call_id, _, _ = HEADER.unpack_from(message, offset)
                body = json.loads(message[offset + HEADER.size:offset + HEADER.size + size])
                offset += HEADER.size + size
                if verb == HELLO:
                    router.send_multipart([peer, record(verb, ANSWER, call_id, manifest)])
                    continue
                true = record(verb, ANSWER, call_id, answer(verb, body))
                for frame in (rubbish(true), true, true, rubbish(true), rng.choice(old or [true])):
                    router.send_multipart([peer, frame])
                router.send_multipart([peer, true, b"two frames"])
                old = [*old[-50:], true]
                if body.get("field") == "Mutation.tick":
                    publish(events, len(log))


if __name__ == "__main__":
    main()
