#!/usr/bin/python3
"""A service with streams, kept in memory, and rights that it takes back (proto/bus.md 4.4, 5, 6, 7).

Usage: log.py CALLS EVENTS     (two endpoints)
"""
import json
import sys

import zmq

import echo

REPLAY, HEADS, EVENT = 3, 4, 5
EPOCH = "00c0ffee00c0ffee"
SDL = """
type Query { head(stream: String!): Int! @public }
type Mutation {
  "Appends entries; returns the seq of the last one. silent: the events are lost on their way."
  append(stream: String!, count: Int! = 1, bytes: Int! = 10, silent: Boolean! = false): Int!
  "Ends the rights of a handle, or of a sub."
  takeBack(stream: String!, handle: String!, sub: String, silent: Boolean! = false): Int!
}
type Subscription {
  "blind: the service does not say at which head it looked at the rights."
  appended(stream: String!, after: Int, last: Int, blind: Boolean! = false): Entry @aws_subscribe(mutations: ["append"])
}
type Entry { stream: String! seq: Int! text: String! sub: String }
"""
echo.MANIFEST.update(name="log", instance="log-1", sdl=SDL, events=sys.argv[2], epoch=EPOCH)
streams = {}
xpub = echo.bind(zmq.XPUB, sys.argv[2])
xpub.setsockopt(zmq.XPUB_VERBOSE, 1)
xpub.setsockopt(zmq.SNDHWM, 100000)  # of connections to come


def log_of(name):
    return streams.setdefault(name, [])


def publish(stream, seq, kind, more):
    event = {"stream": stream, "epoch": EPOCH, "seq": seq, "kind": kind, "incarnation": echo.MANIFEST["incarnation"], **more}
    body = json.dumps(event).encode()
    xpub.send_multipart([stream.encode() + b"\0", echo.HEADER.pack(b"PRL", 1, EVENT, 0, 0, len(body), bytes(16), 0, 0) + body])


def commit(stream, event, silent=False):
    entries = log_of(stream)
    entries.append(event)
    if not silent:
        kind = event.get("kind", "data")
        publish(stream, len(entries), kind, {name: value for name, value in event.items() if name != "kind"})
    return len(entries)


def append(args, identity):
    for _ in range(args["count"]):
        seq = len(log_of(args["stream"])) + 1
        entry = {"stream": args["stream"], "seq": seq, "text": "x" * args["bytes"], "sub": identity["sub"]}
        commit(args["stream"], {"type": "append", "payload": entry}, args["silent"])
    return len(log_of(args["stream"]))


def take_back(args, identity):
    whom = {"handle": args["handle"], **({"sub": args["sub"]} if args.get("sub") else {})}
    return commit(args["stream"], {"kind": "revoke", "payload": whom}, args["silent"])


def appended(args, identity):
    start = {"last": args["last"]} if args.get("last") is not None else "live"
    if args.get("after") is not None:
        start = {"after": args["after"]}
    head = {} if args["blind"] else {"head": len(log_of(args["stream"]))}
    return {"stream": args["stream"], "epoch": EPOCH, "start": start, **head}


echo.FIELDS = {
    "Query.head": lambda args, identity: len(log_of(args["stream"])),
    "Mutation.append": append,
    "Mutation.takeBack": take_back,
    "Subscription.appended": appended,
}


def replay(request):
    entries = log_of(request["stream"])
    after = max(0, len(entries) - request["last"]) if request.get("last") else request["after"]
    some = [{"seq": after + 1 + i, **event} for i, event in enumerate(entries[after:after + request["limit"]])]
    return {"stream": request["stream"], "epoch": EPOCH, "head": len(entries), "first": 1, "events": some}


def heads(request):
    return {"epoch": EPOCH, "heads": [{"stream": name, "head": len(log_of(name)), "first": 1} for name in request["streams"]]}


def answer(verb, deadline, body):
    if verb == REPLAY:
        return echo.ANSWER, replay(json.loads(body))
    if verb == HEADS:
        return echo.ANSWER, heads(json.loads(body))
    return echo.answer(verb, deadline, body)


def main():
    router = echo.bind(zmq.ROUTER, sys.argv[1])
    poller = zmq.Poller()
    poller.register(router, zmq.POLLIN)
    poller.register(xpub, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if xpub in ready:
            topic = xpub.recv()
            if topic[:1] == b"\1":
                name = topic[1:-1].decode()
                publish(name, len(log_of(name)), "head", {})
        if router in ready:
            gateway, message = router.recv_multipart()
            for reply in echo.replies(message, answer):
                router.send_multipart([gateway, reply])


main()
