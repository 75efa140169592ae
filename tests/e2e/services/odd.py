#!/usr/bin/env python3
"""A service for the tests that answers well, late, wrongly or not at all (proto/bus.md). Usage: odd.py ENDPOINT"""
import json
import os
import struct
import sys
import time

import zmq

HEADER = struct.Struct(">3sBBBHI16sQI")
HELLO, CALL = 1, 2
ANSWER, ERROR = 1, 2

SDL = """
type Query {
  add(a: Int!, b: Int! = 1): Int! @public
  who: String @public
  secret: String
  shapes(count: Int! = 2): [Shape!]! @public
  fails: String @public
  "Never answered."
  silent: String @public
  notJson: String @public
  wrongType: Int @public
  holes: [Square!]! @public
  echo(value: Box): String @public
}
type Mutation { note(text: String!): String @public }
interface Shape { name: String! }
type Square implements Shape { name: String! side: Float! }
type Circle implements Shape { name: String! radius: Float! color: Color }
enum Color { RED GREEN }
input Box { width: Int! tags: [String!] color: Color = RED }
"""


def record(verb, flags, call_id, body):
    return HEADER.pack(b"PRL", 1, verb, flags, 0, len(body), call_id, 0, 0) + body


def answer(call):
    field, args = call["field"], call.get("args", {})
    if field == "Query.add":
        return json.dumps(args["a"] + args["b"])
    if field == "Query.who":
        return json.dumps((call.get("identity") or {}).get("handle"))
    if field == "Query.secret":
        return json.dumps("for " + call["identity"]["handle"])
    if field == "Query.shapes":
        both = [{"__typename": "Square", "side": 1.5, "name": "s"}, {"color": "GREEN", "radius": 2, "__typename": "Circle", "name": "c"}]
        return json.dumps([both[i % 2] for i in range(args["count"])])
    if field == "Query.fails":
        raise ValueError("NOT_FOUND", "there is no such thing", {"argument": "none"})
    if field == "Query.notJson":
        return '{"half": '
    if field == "Query.wrongType":
        return '"a string"'
    if field == "Query.holes":
        return '[{"name": "a", "side": 1}, {"name": null, "side": 2}, {"side": "x"}]'
    if field == "Query.echo":
        return json.dumps(json.dumps(args, sort_keys=True))
    if field == "Mutation.note":
        return json.dumps(args["text"])
    if field == "Mutation.pause":
        time.sleep(args["ms"] / 1000)
        return json.dumps(args["ms"])
    raise ValueError("INTERNAL", "unknown field " + field, {})


def main():
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.linger = 0
    router.bind(sys.argv[1])
    manifest = {"name": "odd", "instance": "odd-1", "incarnation": os.urandom(8).hex(), "version": "1", "sdl": os.environ.get("ODD_SDL", SDL)}
    while True:
        peer, message = router.recv_multipart()
        offset = 0
        while offset < len(message):
            _, _, verb, _, _, size, call_id, _, _ = HEADER.unpack_from(message, offset)
            body = message[offset + HEADER.size:offset + HEADER.size + size]
            offset += HEADER.size + size
            if verb == HELLO:
                router.send_multipart([peer, record(verb, ANSWER, call_id, json.dumps(manifest).encode())])
            elif verb == CALL:
                call = json.loads(body)
                if call["field"] == "Query.silent":
                    continue
                try:
                    reply = record(verb, ANSWER, call_id, answer(call).encode())
                except ValueError as error:
                    code, text, extensions = error.args
                    reply = record(verb, ANSWER | ERROR, call_id, json.dumps({"code": code, "message": text, "extensions": extensions}).encode())
                router.send_multipart([peer, reply])


main()
