#!/usr/bin/python3
"""A service that adds fields to another service's type: authors of messages. Usage: profiles.py ENDPOINT

profileMode tells it how to behave, profileCalls how many parents each call for an author had since it was last asked.
"""
import sys
import time

import echo

echo.MANIFEST.update(name="profiles", instance="profiles-1", sdl="""
extend type Message { author: Profile @resolve(needs: ["handle"]) }
type Profile {
  handle: String!
  "Who asked."
  viewer: String
  shout(mark: String! = "!"): String! @resolve(needs: ["handle"])
}
extend type Query { profileCalls: [Int!]! @public }
extend type Mutation { profileMode(mode: String!, ms: Int! = 0): Boolean @public }
""")
state = {"mode": "ok", "ms": 0}
calls = []


def author(args, identity):
    calls.append(len(args["parents"]))
    time.sleep(state["ms"] / 1000)
    if state["mode"] == "error":
        raise echo.Failure("RATE_LIMITED", "not so many profiles", {"retryAfterMs": 10})
    if state["mode"] == "items":
        return [{"error": {"code": "NOT_FOUND", "message": "nobody knows " + parent["handle"]}} for parent in args["parents"]]
    return [{"handle": parent["handle"], "viewer": identity and identity["handle"]} for parent in args["parents"]]


def shout(args, identity):
    return [parent["handle"].upper() + args["args"]["mark"] for parent in args["parents"]]


def profile_calls(args, identity):
    told = calls[:]
    calls.clear()
    return told


echo.FIELDS = {
    "Message.author": author,
    "Profile.shout": shout,
    "Query.profileCalls": profile_calls,
    "Mutation.profileMode": lambda args, identity: state.update(args),
}
echo.main(sys.argv[1])
