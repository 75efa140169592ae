#!/usr/bin/python3
"""A whole Parley service: python3 echo.py ipc:///tmp/echo.ipc   (proto/bus.md; needs python3-zmq)

It binds a ROUTER, answers HELLO with its schema and CALL with a result. A gateway uses it with
--services echo=ipc:///tmp/echo.ipc
"""
import json, struct, sys, time, uuid
import zmq

SDL = """
type Query {
  echo(text: String!): String! @public
  whoami: String
  sleep(ms: Int!): Int! @public
  fail(code: String!, message: String = "as you wished"): String @public
}
type Mutation { count(by: Int! = 1): Int! @public }
"""

HEADER = struct.Struct(">3sBBBHI16sQI")  # magic version verb flags - size id deadline -
HELLO, CALL = 1, 2
ANSWER, ERROR = 1, 2
counter = 0


class Failure(Exception):
    """An error for the caller: code, message, extensions."""


def sleep(args, identity):
    time.sleep(args["ms"] / 1000)
    return args["ms"]


def fail(args, identity):
    raise Failure(args["code"], args["message"], {"argument": "code"})


def count(args, identity):
    global counter
    counter += args["by"]
    return counter


FIELDS = {
    "Query.echo": lambda args, identity: args["text"],
    "Query.whoami": lambda args, identity: identity and identity["handle"],
    "Query.sleep": sleep,
    "Query.fail": fail,
    "Mutation.count": count,
}
MANIFEST = {"name": "echo", "instance": "echo-1", "incarnation": uuid.uuid4().hex, "version": "1", "sdl": SDL}


def answer(verb, deadline, body):
    """What a record is answered with: flags and body. None: nobody waits any more."""
    if verb == HELLO:
        return ANSWER, MANIFEST
    if deadline and deadline < time.time() * 1000:
        return None
    try:
        if verb != CALL:
            raise Failure("INTERNAL", "echo has no streams", {})
        call = json.loads(body)
        return ANSWER, FIELDS[call["field"]](call["args"], call.get("identity"))
    except Failure as failure:
        code, message, extensions = failure.args
        return ANSWER | ERROR, {"code": code, "message": message, "extensions": extensions}
    except (KeyError, TypeError, ValueError) as wrong:
        return ANSWER | ERROR, {"code": "INTERNAL", "message": f"echo cannot read the call: {wrong}"}


def replies(message, answer=answer):
    """The records that answer those of a message, which is one record behind the other."""
    while len(message) >= HEADER.size:
        _, _, verb, _, _, size, call_id, deadline, _ = HEADER.unpack_from(message)
        body, message = message[HEADER.size:HEADER.size + size], message[HEADER.size + size:]
        result = answer(verb, deadline, body)
        if result:
            flags, text = result[0], json.dumps(result[1]).encode()
            yield HEADER.pack(b"PRL", 1, verb, flags, 0, len(text), call_id, 0, 0) + text


def bind(kind, endpoint):
    socket = zmq.Context.instance().socket(kind)
    socket.rcvhwm = 0
    for option, value in ((zmq.TCP_KEEPALIVE, 1), (zmq.TCP_KEEPALIVE_IDLE, 1), (zmq.TCP_KEEPALIVE_INTVL, 1),
                          (zmq.TCP_KEEPALIVE_CNT, 3), (zmq.TCP_MAXRT, 3000)):
        socket.setsockopt(option, value)
    socket.bind(endpoint)
    return socket


def main(endpoint):
    socket = bind(zmq.ROUTER, endpoint)
    while True:
        gateway, message = socket.recv_multipart()
        for reply in replies(message):
            socket.send_multipart([gateway, reply])


if __name__ == "__main__":
    main(sys.argv[1])
