#!/usr/bin/env python3
"""Private rooms: who gets in, who is refused in which words, and that nothing passes a removal."""
import concurrent.futures, os, random, re, shutil, subprocess, tempfile, threading, time, unittest, uuid

import test_store
from bus import *
from test_store import WithStore, base64url, unbase64url

CLOSED = ("FORBIDDEN", "the room is closed to you", {})


setUpModule, tearDownModule = test_store.setUpModule, test_store.tearDownModule


def identity(handle, sub, provider="user-pool"):
    return {"handle": handle, "sub": sub, "provider": provider, "groups": []}


class WithRooms(WithStore):
    def person(self, name):
        """Somebody with an account; his identity."""
        handle, sub = f"{name}-{uuid.uuid4().hex[:6]}", str(uuid.uuid4())
        self.account(handle, sub)
        return identity(handle, sub)

    def account(self, handle, sub):
        test_store.postgres.sql(f"INSERT INTO accounts (id, handle, handle_key, password_hash) "
                                f"VALUES ('{sub}', '{handle}', account_handle_key(lower('{handle}')), 'x')", self.url)

    def make(self, owner, *members, gateway=None):
        """A room of owner's with these members; its name."""
        gateway = gateway or self.gateway
        room = gateway.call("Mutation.createRoom", {"title": "ours"}, owner)["room"]
        for member in members:
            gateway.call("Mutation.inviteToRoom", {"room": room, "handle": member["handle"]}, owner)
        return room

    def answer(self, who, field, **args):
        """What a call comes to: ("OK", result) or (code, message, extensions)."""
        try:
            return "OK", self.gateway.call(field, args, who)
        except Failure as failure:
            return failure.code, failure.message, failure.extensions

    def post_as(self, who, room, body="x", id=None, gateway=None):
        return (gateway or self.gateway).create(body, room, id, identity=who)

    def members(self, who, room):
        return {m["handle"]: m["role"] for m in self.gateway.call("Query.roomMembers", {"room": room}, who)}

    def events(self, room, gateway=None):
        """The whole log of a room, dense."""
        gateway, events = gateway or self.gateway, []
        while True:
            part = gateway.replay("room/" + room, after=len(events))
            events += part["events"]
            if len(events) == part["head"]:
                self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))
                return events

    def name(self):
        return "private/" + str(uuid.uuid4())


class Doors(WithRooms):
    def test_a_room_is_its_members(self):
        ann, ben = self.person("ann"), self.person("ben")
        made = self.gateway.call("Mutation.createRoom", {"title": "Plans für \U0001F600"}, ann)
        room = made["room"]
        self.assertRegex(room, r"^private/[0-9a-f-]{36}$")
        self.assertEqual((made["title"], made["role"]), ("Plans für \U0001F600", "OWNER"))
        self.assertRegex(made["createdAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        asked = self.gateway.call("Query.myRooms", {}, ann)
        self.assertEqual([{k: made[k] for k in ("room", "title", "role", "createdAt")}], asked)
        invited = self.gateway.call("Mutation.inviteToRoom", {"room": room, "handle": ben["handle"]}, ann)
        self.assertEqual((invited["room"], invited["handle"], invited["role"], invited["changedBy"]),
                         (room, ben["handle"], "MEMBER", ann["handle"]))
        self.assertEqual([r["room"] for r in self.gateway.call("Query.myRooms", {}, ben)], [room])
        members = self.gateway.call("Query.roomMembers", {"room": room}, ben)
        self.assertEqual([m["handle"] for m in members], [ann["handle"], ben["handle"]])
        self.assertEqual(members[1], invited)
        said = [self.post_as(ann, room, "hello"), self.post_as(ben, room, "hi")]
        for who in (ann, ben):
            self.assertEqual(self.answer(who, "Query.getMessages", room=room), ("OK", said))
            self.assertEqual(self.answer(who, "Query.getMessages", room=room, filter="HEL"), ("OK", said[:1]))
            self.assertEqual(self.answer(who, "Query.getMessages", room=room, first=1), ("OK", said[:1]))
            self.assertEqual(self.answer(who, "Query.getMessages", room=room, after=said[0]["cursor"]), ("OK", said[1:]))
            self.assertEqual(self.answer(who, "Query.getMessages", room=room, before=said[0]["cursor"]), ("OK", []))
            self.assertEqual(self.answer(who, "Query.getMessages", room=room, filter="nothing"), ("OK", []))
        start = self.gateway.call("Subscription.addMessage", {"room": room, "last": 1}, ben)
        self.assertEqual((start["stream"], start["start"], start["head"]), ("room/" + room, {"last": 1}, 4))
        self.assertEqual(self.gateway.call("Subscription.roomChanges", {"room": room}, ben)["start"], "live")
        self.assertEqual([e["type"] for e in self.events(room)], ["createRoom", "inviteToRoom", "createMessage", "createMessage"])

    def test_outsiders_cannot_tell_whether_it_exists(self):
        """Each question about a room that is there gets the bytes that one about no room gets."""
        ann, eve = self.person("ann"), self.person("eve")
        room, other = self.make(ann), self.make(eve)
        said = self.post_as(ann, room)
        foreign = self.post_as(eve, other)
        future = base64url(said["cursor"])[:-8] + (99).to_bytes(8, "big")
        questions = [
            ("Query.getMessages", {}), ("Query.getMessages", {"filter": "x"}), ("Query.getMessages", {"first": 3}),
            ("Subscription.addMessage", {}), ("Subscription.addMessage", {"last": 5}), ("Subscription.roomChanges", {}),
            ("Query.roomMembers", {}), ("Mutation.createMessage", {"body": "x"}),
            ("Mutation.createMessage", {"body": "x", "messageId": said["messageId"]}),
            ("Mutation.inviteToRoom", {"handle": eve["handle"]}), ("Mutation.inviteToRoom", {"handle": ann["handle"]}),
            ("Mutation.setRoomRole", {"handle": ann["handle"], "role": "MEMBER"}),
            ("Mutation.removeFromRoom", {"handle": ann["handle"]}), ("Mutation.removeFromRoom", {"handle": eve["handle"]}),
            ("Mutation.leaveRoom", {}),
        ]
        before = self.events(room)
        for field, args in questions:
            for name in (room, self.name(), "private/", "private/x"):
                self.assertEqual(self.answer(eve, field, room=name, **args), CLOSED, (field, name))
        for do in ("Query.getMessages", "Subscription.addMessage"):
            for cursor, code in ((said["cursor"], "FORBIDDEN"), (unbase64url(future), "FORBIDDEN"), (foreign["cursor"], "BAD_USER_INPUT")):
                self.assertEqual(self.answer(eve, do, room=room, after=cursor)[0], code)
            self.assertEqual(self.answer(eve, do, room=self.name(), after=said["cursor"])[0], "BAD_USER_INPUT")
        self.assertEqual(self.answer(ann, "Query.getMessages", room=room, after=unbase64url(future))[0], "CURSOR_EXPIRED")
        self.assertEqual(self.events(room), before)
        for nobody in (None, {"handle": ann["handle"]}):
            self.assertEqual(self.answer(nobody, "Query.getMessages", room=room), CLOSED)
        made = test_store.postgres.sql("SELECT count(*) FROM rooms r WHERE starts_with(room, 'private/') AND NOT EXISTS "
                                       "(SELECT FROM private_rooms p WHERE p.room = r.room)", self.url)
        self.assertEqual(made, "0", "an outsider's question made a room")

    def test_an_outsider_waits_for_no_lock(self):
        ann, eve = self.person("ann"), self.person("eve")
        room = self.make(ann)
        holder = subprocess.Popen(["psql", "-XAtq", "-d", self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            holder.stdin.write(f"BEGIN; SELECT 'held' FROM rooms WHERE room = '{room}' FOR UPDATE;\n")
            holder.stdin.flush()
            self.assertEqual(holder.stdout.readline().strip(), "held")
            for field, args in (("Mutation.createMessage", {"body": "x"}), ("Mutation.leaveRoom", {}), ("Mutation.inviteToRoom", {"handle": "x"})):
                with self.assertRaises(Failure) as caught:
                    self.gateway.call(field, {"room": room, **args}, eve, timeout_s=4)
                self.assertEqual(caught.exception.code, "FORBIDDEN", field)
        finally:
            holder.communicate("ROLLBACK;\n")

    def test_the_same_handle_is_not_the_same_person(self):
        """Handles may repeat among providers, and an account may be made anew under an old handle."""
        ann, ben = self.person("ann"), self.person("ben")
        room = self.make(ann, ben)
        for stranger in (identity(ben["handle"], str(uuid.uuid4())), identity(ben["handle"], ben["sub"], "oidc"),
                         identity(ben["handle"], "", "api-key"), {"handle": ben["handle"]}):
            for field, args in (("Query.getMessages", {}), ("Mutation.createMessage", {"body": "x"}),
                                ("Subscription.addMessage", {}), ("Mutation.leaveRoom", {})):
                self.assertEqual(self.answer(stranger, field, room=room, **args), CLOSED, (field, stranger))
            self.assertEqual(self.answer(stranger, "Query.myRooms"), ("OK", []))

    def test_an_invitation_does_not_tell_who_has_an_account(self):
        ann, ben = self.person("ann"), self.person("ben")
        room = self.make(ann)
        shouted, late = ben["handle"].upper(), "late-" + uuid.uuid4().hex[:6]
        answers = [self.gateway.call("Mutation.inviteToRoom", {"room": room, "handle": handle}, ann) for handle in (shouted, late)]
        self.assertEqual([a["handle"] for a in answers], [shouted, late])
        for handle in (shouted, ben["handle"], late, late.upper()):
            self.assertEqual(self.answer(ann, "Mutation.inviteToRoom", room=room, handle=handle)[0], "CONFLICT")
        self.assertEqual(self.answer(ben, "Query.getMessages", room=room)[0], "OK")
        # Whoever opens the account afterwards is not whom the invitation meant.
        sub = str(uuid.uuid4())
        self.account(late, sub)
        self.assertEqual(self.answer(identity(late, sub), "Query.getMessages", room=room), CLOSED)
        self.assertEqual(self.answer(identity(late, "s", "oidc"), "Query.getMessages", room=room)[0], "OK")
        self.assertEqual(self.answer(identity(late.upper(), "s", "oidc"), "Query.getMessages", room=room), CLOSED)
        for field in ("Mutation.removeFromRoom", "Mutation.inviteToRoom"):
            self.gateway.call(field, {"room": room, "handle": late}, ann)
        self.assertEqual(self.answer(identity(late, sub), "Query.getMessages", room=room)[0], "OK")
        self.assertEqual(self.answer(identity(late, "s", "oidc"), "Query.getMessages", room=room), CLOSED)

    def test_roles(self):
        """Who may do what to whom; each try on a room of its own."""
        owner, moderator, member, other, guest = (self.person(n) for n in ("owner", "moderator", "member", "other", "guest"))
        role = "your role in the room does not allow that"
        may = {  # actor: what he may
            "owner": {"invite MEMBER", "invite MODERATOR", "invite OWNER", "set other", "set moderator", "remove other", "remove moderator"},
            "moderator": {"invite MEMBER", "remove other", "remove moderator"},  # the last one is himself
            "member": set(),
        }
        people = {"owner": owner, "moderator": moderator, "member": member, "other": other}
        for actor, allowed in may.items():
            for what in sorted(may["owner"]) + ["remove owner"]:
                room = self.make(owner, moderator, member, other)
                self.gateway.call("Mutation.setRoomRole", {"room": room, "handle": moderator["handle"], "role": "MODERATOR"}, owner)
                verb, object = what.split()
                if verb == "invite":
                    got = self.answer(people[actor], "Mutation.inviteToRoom", room=room, handle=guest["handle"], role=object)
                elif verb == "set":
                    got = self.answer(people[actor], "Mutation.setRoomRole", room=room, handle=people[object]["handle"], role="OWNER")
                else:
                    got = self.answer(people[actor], "Mutation.removeFromRoom", room=room, handle=people[object]["handle"])
                if what in allowed:
                    self.assertEqual(got[0], "OK", (actor, what, got))
                elif (actor, what) == ("owner", "remove owner"):
                    self.assertEqual(got[0], "CONFLICT")  # the last owner
                else:
                    self.assertEqual(got[:2], ("FORBIDDEN", role), (actor, what))
        self.assertEqual(self.answer(owner, "Mutation.removeFromRoom", room=room, handle=guest["handle"])[0], "NOT_FOUND")
        self.assertEqual(self.answer(moderator, "Mutation.removeFromRoom", room=room, handle=guest["handle"])[0], "NOT_FOUND")
        self.assertEqual(self.answer(member, "Mutation.removeFromRoom", room=room, handle=guest["handle"])[1], role)
        self.assertEqual(self.answer(member, "Mutation.removeFromRoom", room=room, handle=member["handle"])[0], "OK")  # leaves
        self.assertEqual(self.answer(member, "Query.getMessages", room=room), CLOSED)

    def test_the_last_owner(self):
        ann, ben = self.person("ann"), self.person("ben")
        room = self.make(ann, ben)
        for field, args in (("leaveRoom", {}), ("removeFromRoom", {"handle": ann["handle"]}), ("setRoomRole", {"handle": ann["handle"], "role": "MODERATOR"})):
            code, message, _ = self.answer(ann, "Mutation." + field, room=room, **args)
            self.assertEqual((code, "last owner" in message), ("CONFLICT", True), field)
        self.gateway.call("Mutation.setRoomRole", {"room": room, "handle": ben["handle"], "role": "OWNER"}, ann)
        self.gateway.call("Mutation.setRoomRole", {"room": room, "handle": ann["handle"], "role": "MEMBER"}, ann)
        self.assertEqual(self.members(ann, room), {ben["handle"]: "OWNER", ann["handle"]: "MEMBER"})
        self.assertEqual(self.gateway.call("Mutation.leaveRoom", {"room": room}, ann)["role"], None)
        self.assertEqual(self.answer(ben, "Mutation.leaveRoom", room=room)[0], "OK")  # nobody is left behind
        self.assertEqual(self.answer(ben, "Query.getMessages", room=room), CLOSED)

    def delete(self, who):
        test_store.postgres.sql(f"DELETE FROM accounts WHERE id = '{who['sub']}'", self.url)

    def disable(self, who):
        done = self.store.command("user", "disable", who["handle"])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_deleted_account_leaves_its_rooms(self):
        """The only owner's: who moderates longest becomes owner first; gateways are told, and the name is free."""
        ann, ben, mod, late = (self.person(name) for name in ("ann", "ben", "mod", "late"))
        room, other = self.make(ann, ben, mod, late), self.make(ben, ann)
        for who in (late, mod):
            self.gateway.call("Mutation.setRoomRole", {"room": room, "handle": who["handle"], "role": "MODERATOR"}, ann)
        self.gateway.subscribe("room/" + room)
        self.assertEqual(self.gateway.event_of_kind("head")["seq"], 6)
        self.delete(ann)
        self.assertEqual(self.gateway.event_of_kind("head")["seq"], 9)
        self.gateway.unsubscribe("room/" + room)
        self.assertEqual(self.members(mod, room), {ben["handle"]: "MEMBER", mod["handle"]: "OWNER", late["handle"]: "MODERATOR"})
        self.assertEqual(self.members(ben, other), {ben["handle"]: "OWNER"})
        told = self.events(room)[6:]
        self.assertEqual([(e.get("kind"), e.get("type")) for e in told], [(None, "setRoomRole"), ("revoke", None), (None, "leaveRoom")])
        made, ends, gone = (e["payload"] for e in told)
        self.assertEqual((made["handle"], made["role"], made["changedBy"]), (mod["handle"], "OWNER", ann["handle"]))
        self.assertEqual(ends, {"handle": ann["handle"], "sub": ann["sub"]})
        self.assertEqual((gone["handle"], gone["role"], gone["changedBy"]), (ann["handle"], None, ann["handle"]))
        self.assertEqual([m for m in self.gateway.call("Query.roomMembers", {"room": room}, ben) if m["role"] == "OWNER"], [made])
        self.assertEqual(self.answer(ann, "Query.getMessages", room=room), CLOSED)
        self.assertEqual(self.answer(mod, "Mutation.inviteToRoom", room=room, handle=ann["handle"])[0], "OK")

    def test_who_becomes_owner(self):
        """Those who can act before those who cannot, moderators before members, accounts before others, by time."""
        for members, heir in ((("a", "b", "c"), "a"), (("@a", "b", "c"), "b"), (("@a", "@b"), "@a"), (("-a", "b"), "b"),
                              (("-a", "-b"), "-a"), (("a", "-b*", "c*"), "c*"), (("a", "@b*"), "@b*"), ((), None)):
            with self.subTest(members):
                ann, people = self.person("ann"), {}
                for name in members:
                    people[name] = identity("oidc-" + uuid.uuid4().hex[:6], "s", "oidc") if name[0] == "@" else self.person("p")
                room = self.make(ann, *people.values())
                for name, who in people.items():
                    if name.endswith("*"):
                        self.gateway.call("Mutation.setRoomRole", {"room": room, "handle": who["handle"], "role": "MODERATOR"}, ann)
                    if name.startswith("-"):
                        self.disable(who)
                self.delete(ann)
                roles = test_store.postgres.sql(f"SELECT handle FROM room_members WHERE room = '{room}' AND role = 'OWNER'", self.url)
                self.assertEqual(roles, people[heir]["handle"] if heir else "")
                self.events(room)
                self.assertEqual(self.answer(ann, "Query.getMessages", room=room), CLOSED)

    def test_a_disabled_owner(self):
        """Stays owner, for he may come back; the room gets another one if he was the only one who could act."""
        ann, ben, cid = (self.person(name) for name in ("ann", "ben", "cid"))
        room, shared, alone = self.make(ann, ben, cid), self.make(ann, ben, cid), self.make(ann)
        self.gateway.call("Mutation.setRoomRole", {"room": shared, "handle": cid["handle"], "role": "OWNER"}, ann)
        self.disable(ann)
        self.assertEqual(self.members(ben, room), {ann["handle"]: "OWNER", ben["handle"]: "OWNER", cid["handle"]: "MEMBER"})
        self.assertEqual(self.members(ben, shared), {ann["handle"]: "OWNER", ben["handle"]: "MEMBER", cid["handle"]: "OWNER"})
        self.disable(cid)  # of two owners both are disabled now
        self.assertEqual(self.members(ben, shared), dict.fromkeys((ann["handle"], ben["handle"], cid["handle"]), "OWNER"))
        self.disable(ann)  # once more: nothing new
        self.assertEqual([len(self.events(each)) for each in (room, shared, alone)], [4, 5, 1])

    def test_rules(self):
        ann = self.person("ann")
        room = self.make(ann)
        call = lambda field, **args: lambda: self.gateway.call(field, args, ann)
        for title in (None, "", "x" * 129, "a\nb", "a\0b"):
            self.refused("BAD_USER_INPUT", "title", call("Mutation.createRoom", title=title))
        for name in ("lobby", "", None, "Private/x", "private"):
            for field in ("Query.roomMembers", "Mutation.leaveRoom", "Subscription.roomChanges"):
                self.refused("BAD_USER_INPUT", "room", call(field, room=name))
        for handle in (None, "", "x" * 257, "a\nb"):
            for field in ("inviteToRoom", "removeFromRoom", "setRoomRole"):
                self.refused("BAD_USER_INPUT", "handle", call("Mutation." + field, room=room, handle=handle, role="MEMBER"))
        self.refused("BAD_USER_INPUT", "role", call("Mutation.inviteToRoom", room=room, handle="x", role="KING"))
        for field in ("createRoom", "leaveRoom"):
            self.refused("UNAUTHENTICATED", None, self.gateway.call, "Mutation." + field, {"title": "x", "room": room}, None)
        self.assertEqual({f"Mutation.{m}" for m in ("createRoom", "inviteToRoom", "setRoomRole", "removeFromRoom", "leaveRoom", "createMessage")},
                         set(self.gateway.hello()["idempotent"]))

    def test_a_room_that_is_full(self):
        ann = self.person("ann")
        room = self.make(ann)
        test_store.postgres.sql(f"INSERT INTO room_members SELECT room, 'k' || n, 'k' || n, 'k' || n, '', 'MEMBER', now(), 1, 'x', now() "
                                f"FROM private_rooms, generate_series(1, 998) n WHERE room = '{room}'", self.url)
        self.gateway.call("Mutation.inviteToRoom", {"room": room, "handle": "the-1000th"}, ann)
        self.assertEqual(self.answer(ann, "Mutation.inviteToRoom", room=room, handle="one-more")[0], "LIMIT_EXCEEDED")
        self.assertEqual(len(self.members(ann, room)), 1000)

    def test_a_removal_is_an_event(self):
        ann, ben = self.person("ann"), self.person("ben")
        room = self.make(ann, ben)
        stream = "room/" + room
        self.gateway.subscribe(stream)
        self.gateway.event_of_kind("head")
        self.post_as(ben, room, "before")
        gone = self.gateway.call("Mutation.removeFromRoom", {"room": room, "handle": ben["handle"]}, ann)
        self.post_as(ann, room, "after")
        self.gateway.call("Mutation.inviteToRoom", {"room": room, "handle": ben["handle"]}, ann)
        live = []
        while len(live) < 5:
            event = self.gateway.event()
            if event["kind"] != "head":
                live.append(event)
        self.gateway.unsubscribe(stream)
        self.assertEqual([(e["seq"], e["kind"], e.get("type")) for e in live], [
            (3, "data", "createMessage"), (4, "revoke", None), (5, "data", "removeFromRoom"), (6, "data", "createMessage"), (7, "data", "inviteToRoom")])
        self.assertEqual(live[1]["payload"], {"handle": ben["handle"], "sub": ben["sub"]})
        self.assertEqual(live[2]["payload"], gone)
        self.assertEqual((gone["handle"], gone["role"], gone["changedBy"]), (ben["handle"], None, ann["handle"]))
        logged = self.events(room)
        self.assertEqual([e.get("kind", "data") for e in logged], ["data"] * 3 + ["revoke"] + ["data"] * 3)
        self.assertEqual([e["payload"] for e in logged[2:]], [e["payload"] for e in live])
        self.assertEqual([m["body"] for m in self.gateway.call("Query.getMessages", {"room": room}, ann)], ["before", "after"])
        # He is in again: his right is as of 7, and the removal at 4 is before that.
        start = self.gateway.call("Subscription.addMessage", {"room": room}, ben, resume=logged[2]["payload"]["cursor"])
        self.assertEqual((start["start"], start["head"]), ({"after": 3}, 7))

    def test_one_without_account_is_revoked_by_handle(self):
        ann, ben = self.person("ann"), identity("ben-" + uuid.uuid4().hex[:6], "s", "oidc")
        room = self.make(ann, ben)
        self.gateway.call("Mutation.leaveRoom", {"room": room}, ben)
        self.assertEqual([e["payload"] for e in self.events(room) if e.get("kind") == "revoke"], [{"handle": ben["handle"]}])

    def test_repeated_calls_give_the_first_result(self):
        ann, ben = self.person("ann"), self.person("ben")
        again = lambda field, who, **args: [self.gateway.call(field, args, who, id=id) for id in [uuid7()] * 3]
        made = again("Mutation.createRoom", ann, title="x")
        room = made[0]["room"]
        steps = [made, again("Mutation.inviteToRoom", ann, room=room, handle=ben["handle"]),
                 again("Mutation.setRoomRole", ann, room=room, handle=ben["handle"], role="OWNER"),
                 again("Mutation.removeFromRoom", ben, room=room, handle=ann["handle"]),
                 again("Mutation.inviteToRoom", ben, room=room, handle=ann["handle"]),
                 again("Mutation.leaveRoom", ann, room=room)]
        for results in steps:
            self.assertEqual(results, results[:1] * 3)
        self.assertEqual(self.members(ben, room), {ben["handle"]: "OWNER"})
        self.assertEqual(len(self.events(room)), 8)

    def test_repeated_messages(self):
        """The look-up of duplicates comes before the rights, but tells nothing to those outside."""
        ann, ben, eve = self.person("ann"), self.person("ben"), self.person("eve")
        room = self.make(ann, ben)
        said = self.post_as(ben, room)
        id = said["messageId"]
        self.assertEqual(self.post_as(ben, room, id=id), said)
        self.assertEqual(self.answer(ann, "Mutation.createMessage", room=room, body="x", messageId=id)[0], "CONFLICT")
        self.gateway.call("Mutation.removeFromRoom", {"room": room, "handle": ben["handle"]}, ann)
        self.assertEqual(self.post_as(ben, room, id=id), said)
        self.assertEqual(self.answer(ben, "Mutation.createMessage", room=room, body="x"), CLOSED)
        self.assertEqual(self.answer(eve, "Mutation.createMessage", room=room, body="x", messageId=id), CLOSED)
        for event in self.events(room):  # ids of other events are taken, and no messages
            taken = test_store.postgres.sql(f"SELECT id FROM messages WHERE room = '{room}' AND seq = {event['seq']}", self.url)
            code = self.answer(ann, "Mutation.createMessage", room=room, body="x", messageId=taken)[0]
            self.assertEqual(code, "CONFLICT", event)

    def test_one_batch_of_all_sorts(self):
        """Open rooms, a private one, one that is not there; members, outsiders, repetitions and the same id by two:
        each call is answered, in whichever order they come."""
        ann, ben, eve = self.person("ann"), self.person("ben"), self.person("eve")
        for seed in range(6):
            rng = random.Random(seed)
            room, open, nowhere = self.make(ann, ben), self.room(), self.name()
            shared, calls = str(uuid.uuid4()), []
            for who in (ann, ben, eve):
                for place in (room, open, nowhere):
                    calls += [(who, place, str(uuid.uuid4())) for _ in range(3)] + [(who, place, shared)] * 2
            rng.shuffle(calls)
            ids = [uuid7() for _ in calls]
            self.gateway.send(*(record(CALL, {"field": "Mutation.createMessage", "identity": who,
                                              "args": {"body": who["handle"], "room": place, "messageId": mid}}, id)
                                for (who, place, mid), id in zip(calls, ids)))
            stored = {}
            for (who, place, mid), id in zip(calls, ids):
                try:
                    made = self.gateway.wait(id)
                    self.assertNotIn((who["handle"], place), ((eve["handle"], room), (ann["handle"], nowhere)))
                    self.assertEqual((made["handle"], made["messageId"]), (who["handle"], mid))
                    self.assertEqual(stored.setdefault((place, mid), made), made)
                except Failure as failure:
                    closed = place == nowhere or (place == room and who is eve)
                    self.assertEqual(failure.code, "FORBIDDEN" if closed else "CONFLICT", (who["handle"], place))
                    self.assertTrue(closed or mid == shared)
            self.assertEqual(len(self.events(room)), 2 + 7)
            self.assert_dense(self.url, open, 10)
            self.assertEqual(self.gateway.replay("room/" + nowhere, after=0)["head"], 0)

    def test_settled_heads_of_private_rooms(self):
        room, nowhere = self.make(self.person("ann")), self.name()
        for settled in (False, True):
            heads = self.gateway.heads("room/" + room, "room/" + nowhere, "room/lobby", settled=settled)["heads"]
            self.assertEqual([h["head"] for h in heads[:2]], [1, 0])
        self.assertEqual(test_store.postgres.sql(f"SELECT count(*) FROM rooms WHERE room = '{nowhere}'", self.url), "0")


class Traces(WithRooms):
    """What PostgreSQL does for an outsider: the plans that it ran, with their rows and blocks (auto_explain)."""

    SETTINGS = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on",
                "auto_explain.log_timing": "off", "auto_explain.log_buffers": "on", "auto_explain.log_nested_statements": "on"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway.close()
        assert cls.store.stop() == 0
        sql = lambda text: test_store.postgres.sql(text, cls.url)
        # As many rooms as make indexes worth their while.
        sql("INSERT INTO rooms (room, guarded) SELECT 'private/' || gen_random_uuid(), true FROM generate_series(1, 5000);"
            "INSERT INTO private_rooms SELECT room, 'x', now() FROM rooms WHERE guarded;"
            "INSERT INTO room_members SELECT room, 'p' || n % 100, 'p' || n % 100, 'p' || n % 100, (n % 100)::text, 'OWNER', now(), 1, 'p', now()"
            " FROM (SELECT room, row_number() OVER () AS n FROM rooms WHERE guarded) r;"
            "INSERT INTO messages (room, seq, id, handle, body, created_at) SELECT room, 1, gen_random_uuid(), 'p', 'x', now() FROM rooms;"
            "ANALYZE rooms; ANALYZE private_rooms; ANALYZE room_members; ANALYZE messages")
        for name, value in cls.SETTINGS.items():
            sql(f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {name} = {value}', current_database()); END $$")
        cls.store.start()
        cls.gateway = Gateway(cls.store)

    def plans(self, who, field, room, args):
        """The plans of one question, without what it costs and takes."""
        log = f"{test_store.postgres.dir}/log"
        start = os.path.getsize(log)
        self.assertEqual(self.answer(who, field, room=room, **args), CLOSED, field)
        with open(log, errors="replace") as file:
            file.seek(start)
            text = file.read()
        plans = re.findall(r"plan:\n((?:\t.*\n)+)", text)
        return [re.sub(r"cost=\S+ rows=\d+ width=\d+\) \(| dirtied=\d+", "", plan.replace(room, "ROOM")) for plan in plans]

    def test_the_same_work_whether_the_room_exists(self):
        ann, eve = self.person("ann"), self.person("eve")
        room = self.make(ann)
        said = self.post_as(ann, room)
        self.make(eve)
        questions = [("Query.getMessages", {}), ("Query.getMessages", {"first": 3}), ("Query.getMessages", {"filter": "x"}),
                     ("Subscription.addMessage", {}), ("Subscription.addMessage", {"last": 5}), ("Subscription.roomChanges", {}),
                     ("Query.roomMembers", {}), ("Mutation.createMessage", {"body": "x"}), ("Mutation.leaveRoom", {}),
                     ("Mutation.inviteToRoom", {"handle": ann["handle"]}), ("Mutation.removeFromRoom", {"handle": ann["handle"]})]
        for field, args in questions:
            with self.subTest(field, **args):
                for _ in range(6):  # until plans are kept and their blocks are in memory
                    for name in (room, self.name()):
                        self.plans(eve, field, name, args)
                for _ in range(3):  # new statistics may come between the two
                    there, nowhere = self.plans(eve, field, room, args), self.plans(eve, field, self.name(), args)
                    if there == nowhere:
                        break
                self.assertGreater(len(there), 0)
                self.maxDiff = None
                self.assertEqual(there, nowhere)


class Removals(WithRooms):
    """Two stores; people are removed and invited again while they post through both, which are killed meanwhile."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = Store(cls.url, test_store.scratch).start()

    @classmethod
    def tearDownClass(cls):
        assert cls.second.stop() == 0
        super().tearDownClass()

    def test_killed_after_the_commit_of_a_removal(self):
        """The call goes to the other store with the same id: the first result, once in the log, and heads tell of it."""
        ann, ben = self.person("ann"), self.person("ben")
        room = self.make(ann, ben)
        store = Store(self.url, test_store.scratch).start(env={"PARLEY_FAULT": "exit_after_commit"})
        other, id = Gateway(store), uuid7()
        self.gateway.subscribe("room/" + room)
        self.assertEqual(self.gateway.event_of_kind("head")["seq"], 2)
        other.request(CALL, {"field": "Mutation.removeFromRoom", "args": {"room": room, "handle": ben["handle"]}, "identity": ann}, id)
        store.process.wait(10)
        gone = self.gateway.call("Mutation.removeFromRoom", {"room": room, "handle": ben["handle"]}, ann, id=id)
        self.assertEqual(gone["role"], None)
        self.assertEqual(self.gateway.event_of_kind("head")["seq"], 4)
        self.assertEqual([e.get("kind") for e in self.events(room)], [None, None, "revoke", None])
        self.gateway.unsubscribe("room/" + room)
        other.close()

    def test_nothing_passes_a_removal(self):
        ann, people = self.person("ann"), [self.person("p") for _ in range(4)]
        rooms = [self.make(ann, *people) for _ in range(2)]
        open = self.room()
        until, stores = time.time() + float(os.environ.get("PARLEY_SOAK_SECONDS", "5")), [self.store, self.second]
        outcomes, lock = [], threading.Lock()

        def send(gateways, rng, field, args, who, id):
            """As a gateway does: whoever gives no answer was lost, and the call goes to another with the same id."""
            deadline, sent = time.time() + 8, 0
            while time.time() < deadline:
                gateway, sent = rng.choice(gateways), sent + 1
                gateway.send(record(CALL, {"field": field, "args": args, "identity": who}, id, deadline_ms=int(deadline * 1000)))
                try:
                    return gateway.wait(id, 1.0), sent
                except NoAnswer:
                    continue
                except Failure as failure:
                    return failure.code, sent
            return "unknown", sent

        def post(n):
            rng, gateways = random.Random(n), [Gateway(store) for store in stores]
            who, mine = people[n % 4], []
            while time.time() < until:
                room, id = rng.choice(rooms + [open]), uuid7()
                result, sent = send(gateways, rng, "Mutation.createMessage", {"body": "x", "room": room}, who, id)
                mine.append((room, str(uuid.UUID(bytes=id)), result, sent))
            with lock:
                outcomes.extend(mine)
            for gateway in gateways:
                gateway.close()

        def remove(n):
            rng, gateways = random.Random(100 + n), [Gateway(store) for store in stores]
            room, done = rooms[n], 0
            while time.time() < until:
                handle = rng.choice(people)["handle"]
                for field in ("removeFromRoom", "inviteToRoom"):
                    result, sent = send(gateways, rng, "Mutation." + field, {"room": room, "handle": handle}, ann, uuid7())
                    self.assertTrue(isinstance(result, dict) or result in ("unknown", "UNAVAILABLE", "TIMEOUT") or sent > 1, result)
                    done += isinstance(result, dict)
                    time.sleep(rng.uniform(0.01, 0.05))
            for gateway in gateways:
                gateway.close()
            return done

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            posting, removing = [pool.submit(post, n) for n in range(8)], [pool.submit(remove, n) for n in range(2)]
            rng = random.Random(7)
            while time.time() < until - 1:
                time.sleep(rng.uniform(0.3, 0.9))
                self.second.kill()
                self.second.start(wait=False)
            changes = sum(future.result() for future in removing)
            for future in posting:
                future.result()
        self.second.wait_ready()
        subs = {p["sub"]: p["handle"] for p in people}
        stored = {}
        for room in rooms:
            inside = set()
            for event in self.events(room):
                payload = event["payload"]
                if event.get("kind") == "revoke":
                    inside.remove(subs[payload["sub"]])
                elif event["type"] == "inviteToRoom":
                    inside.add(payload["handle"])
                elif event["type"] == "createMessage":
                    self.assertIn(payload["handle"], inside, f"a message of somebody removed, at {event['seq']}")
                    self.assertNotIn((room, payload["messageId"]), stored)
                    stored[room, payload["messageId"]] = payload
            self.assert_dense(self.url, room)
        for event in self.events(open):
            stored[open, event["payload"]["messageId"]] = event["payload"]
        counts = {}
        for room, id, result, sent in outcomes:
            if isinstance(result, dict):
                self.assertEqual(stored[room, id], result)
            elif result == "FORBIDDEN":
                self.assertNotEqual(room, open)
                self.assertTrue(sent > 1 or (room, id) not in stored, "delivered although refused")
            key = result if isinstance(result, str) else "OK"
            counts[key] = counts.get(key, 0) + 1
        print(f"({changes} changes, {counts})")
        self.assertGreater(changes, 4)
        self.assertGreater(counts.get("OK", 0), 20)
        self.assertGreater(counts.get("FORBIDDEN", 0), 0)
        for store in stores:
            self.assertEqual(store.log().count("deadlock"), 0)
