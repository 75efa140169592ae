#!/usr/bin/env python3
"""The store alone, over the bus, on private PostgreSQL clusters. Last line: `N passed, N failed`."""
import concurrent.futures, json, os, signal, socket, subprocess, sys, tempfile, threading, time, unittest, uuid
import shutil

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import zmq
from bus import *


setUpModule, tearDownModule = share_postgres(globals())


def let_rooms_be_guarded(rooms):
    """SQL: any room may be guarded, and Alice is a member of these."""
    return "ALTER TABLE rooms DROP CONSTRAINT IF EXISTS rooms_guarded_are_private;" + "".join(
        f"INSERT INTO rooms (room) VALUES ('{room}') ON CONFLICT DO NOTHING;"
        f"INSERT INTO private_rooms VALUES ('{room}', 'x', now());"
        f"INSERT INTO room_members VALUES ('{room}', 'alice', 'alice', 'alice', '{ALICE['sub']}', 'OWNER', now(), 1, 'alice', now());"
        for room in rooms)


class WithStore(unittest.TestCase):
    """Each class has a database and a store of its own."""
    env, args = {}, ()

    @classmethod
    def setUpClass(cls):
        cls.url = postgres.database()
        cls.store = Store(cls.url, scratch, cls.env, cls.args).start()
        cls.gateway = Gateway(cls.store)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        status = cls.store.stop()
        log = cls.store.log()
        assert status == 0, f"exit status {status}\n{log}"
        assert "Sanitizer" not in log and "runtime error" not in log, log

    def room(self):
        return "r" + uuid.uuid4().hex[:8]

    def refused(self, code, argument=None, do=None, *args, **more):
        with self.assertRaises(Failure) as caught:
            do(*args, **more)
        self.assertEqual(caught.exception.code, code, caught.exception)
        if argument:
            self.assertEqual(caught.exception.extensions.get("argument"), argument, caught.exception)
            self.assertIn(argument, caught.exception.message)
        return caught.exception

    def assert_dense(self, url, room, count=None):
        rows = postgres.sql(f"SELECT count(*), coalesce(min(seq),1), coalesce(max(seq),0), "
                            f"(SELECT last_seq FROM rooms WHERE room='{room}') FROM messages WHERE room='{room}'", url)
        n, low, high, last = map(int, rows.split("|"))
        self.assertEqual((low, high, last), (1, n, n))
        if count is not None:
            self.assertEqual(n, count)


class Protocol(WithStore):
    def test_hello(self):
        manifest = self.gateway.hello()
        self.assertEqual(manifest["name"], "store")
        self.assertTrue(manifest["ready"])
        self.assertRegex(manifest["epoch"], "^[0-9a-f]{16}$")
        self.assertEqual(manifest["events"], self.store.events)
        self.assertIn("Mutation.createMessage", manifest["idempotent"])
        self.assertIn("type Subscription", manifest["sdl"])
        self.assertTrue(manifest["issuer"]["jwks"]["keys"])

    def test_records_of_one_message_are_answered_in_one_message(self):
        ids = [uuid7() for _ in range(20)]
        before = self.gateway.messages
        self.gateway.send(*(record(CALL, {"field": "Subscription.addMessage", "args": {}, "identity": ALICE}, id) for id in ids))
        for id in ids:
            self.assertEqual(self.gateway.wait(id)["start"], "live")
        self.assertEqual(self.gateway.messages, before + 1)

    def test_unknown_version_is_answered(self):
        id = uuid7()
        self.gateway.send(record(HELLO, {}, id, version=9))
        error = self.refused("INTERNAL", None, self.gateway.wait, id)
        self.assertIn("bus version 9 is not supported, this side speaks 1", error.message)

    def test_malformed_messages_do_no_harm(self):
        before = self.store.metrics().get("parley_bus_malformed_total", 0)
        good = uuid7()
        self.gateway.send(record(HELLO, {}, good), b"PRX" + bytes(60))
        self.assertEqual(self.gateway.wait(good)["name"], "store")
        for bad in (b"", b"x", bytes(40), record(HELLO, {})[:-1], record(9, {}), record(CALL, {}, flags=2),
                    record(EVENT, {}), record(CALL, {}, flags=1)):
            self.gateway.send(bad)
        self.gateway.dealer.send_multipart([b"two", b"frames"])
        self.assertEqual(self.gateway.hello()["name"], "store")
        self.assertGreaterEqual(self.store.metrics()["parley_bus_malformed_total"], before + 9)

    def test_bad_bodies_are_answered(self):
        for body in (b"", b"{", b"[]", b"{}", b'{"field":1}', b'{"field":"Query.me","args":[]}', b'"\xff"', b"[" * 5000):
            id = uuid7()
            self.gateway.send(record(CALL, body, id))
            self.refused("INTERNAL", None, self.gateway.wait, id)
        self.refused("INTERNAL", None, self.gateway.call, "Query.nothing")

    def test_a_call_past_its_deadline_is_not_executed(self):
        room = self.room()
        error = self.refused("TIMEOUT", None, self.gateway.create, "late", room, timeout_s=-0.001)
        self.assertEqual(error.extensions["outcome"], "none")
        self.assertEqual(self.gateway.page(room=room), [])

    def test_a_call_without_deadline_is_answered(self):
        id = uuid7()
        self.gateway.send(record(CALL, {"field": "Query.getMessages", "args": {"room": self.room()}}, id, deadline_ms=0))
        self.assertEqual(self.gateway.wait(id), [])

    def test_metrics(self):
        self.gateway.create("x", self.room())
        metrics = self.store.metrics()
        self.assertGreater(metrics['parley_store_calls_total{field="Mutation.createMessage",code="OK"}'], 0)
        self.assertEqual(metrics['parley_store_database_up{link="writer"}'], 1)
        self.assertEqual(metrics["parley_store_ready"], 1)


class Messages(WithStore):
    def test_a_message_comes_back(self):
        room, body = self.room(), 'Grüße \U0001F600 "quoted" \\ \n\t\x01 </script>'
        made = self.gateway.create(body, room)
        self.assertEqual(made["body"], body)
        self.assertEqual(made["handle"], "alice")
        self.assertEqual(made["room"], room)
        self.assertRegex(made["createdAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(self.gateway.page(room=room), [made])

    def test_room_is_lobby_when_absent_or_null(self):
        self.assertEqual(self.gateway.create("x")["room"], "lobby")
        self.assertEqual(self.gateway.call("Mutation.createMessage", {"body": "x", "room": None, "messageId": None})["room"], "lobby")
        self.assertEqual(self.gateway.call("Subscription.addMessage", {"room": None})["stream"], "room/lobby")

    def test_message_id(self):
        room, id, call = self.room(), str(uuid.uuid4()), uuid7()
        self.assertEqual(self.gateway.create("x", room, id.upper())["messageId"], id)
        self.assertEqual(self.gateway.create("x", room, id=call)["messageId"], str(uuid.UUID(bytes=call)))

    def test_the_same_id_gives_the_first_result(self):
        room, id = self.room(), str(uuid.uuid4())
        first = self.gateway.create("first", room, id)
        self.assertEqual(self.gateway.create("second", room, id), first)
        self.refused("CONFLICT", "messageId", self.gateway.create, "third", room, id, identity=BOB)
        other = self.room()
        self.assertEqual(self.gateway.create("elsewhere", other, id, identity=BOB)["body"], "elsewhere")
        self.assert_dense(self.url, room, 1)

    def test_the_same_call_id_gives_the_first_result(self):
        room, id = self.room(), uuid7()
        first = self.gateway.create("x", room, id=id)
        self.assertEqual(self.gateway.create("x", room, id=id), first)
        self.assert_dense(self.url, room, 1)

    def test_duplicates_inside_a_batch(self):
        room, id = self.room(), str(uuid.uuid4())
        calls = [(uuid7(), who) for who in (ALICE, BOB, ALICE, BOB, ALICE)]
        self.gateway.send(*(record(CALL, {"field": "Mutation.createMessage", "identity": who,
                                          "args": {"body": who["handle"], "room": room, "messageId": id}}, call)
                            for call, who in calls))
        results = []
        for call, who in calls:
            if who is ALICE:
                results.append(self.gateway.wait(call))
            else:
                self.refused("CONFLICT", "messageId", self.gateway.wait, call)
        self.assertTrue(all(r == results[0] and r["body"] == "alice" for r in results))
        self.assert_dense(self.url, room, 1)

    def test_duplicates_among_new_ones(self):
        room = self.room()
        old = [str(uuid.uuid4()) for _ in range(5)]
        first = [self.gateway.create(f"old {i}", room, id) for i, id in enumerate(old)]
        wanted = [("new 0", str(uuid.uuid4())), *((f"again {i}", id) for i, id in enumerate(old)), ("new 1", str(uuid.uuid4()))]
        ids = [uuid7() for _ in wanted]
        self.gateway.send(*(record(CALL, {"field": "Mutation.createMessage", "identity": ALICE,
                                          "args": {"body": body, "room": room, "messageId": mid}}, id)
                            for id, (body, mid) in zip(ids, wanted)))
        results = [self.gateway.wait(id) for id in ids]
        self.assertEqual(results[1:6], first)
        self.assertEqual([m["body"] for m in self.gateway.page(room=room)], [f"old {i}" for i in range(5)] + ["new 0", "new 1"])
        self.assert_dense(self.url, room, 7)

    def test_many_that_come_at_once_go_in_two_halves(self):
        # those of a batch were made at the same moment
        batches = "SELECT string_agg(n::text, ' ' ORDER BY at) FROM (SELECT created_at at, count(*) n FROM messages WHERE room='%s' GROUP BY 1) b"
        for count, halves in ((20, [20]), (200, [100, 100]), (300, [150, 150])):
            room, ids = self.room(), [uuid7() for _ in range(count)]
            self.gateway.create("one", self.room())
            self.gateway.send(*(record(CALL, {"field": "Mutation.createMessage", "identity": ALICE, "args": {"body": "x", "room": room}}, id) for id in ids))
            for id in ids:
                self.gateway.wait(id)
            found = [int(n) for n in postgres.sql(batches % room, self.url).split()]
            self.assertEqual(len(found), len(halves), found)
            for n, half in zip(found, halves):
                self.assertAlmostEqual(n, half, delta=1)
            self.assert_dense(self.url, room, count)

    def test_rules(self):
        create, page = self.gateway.create, self.gateway.page
        for body in ("", "x" * 65537, "é" * 32769, "a\0b"):
            self.refused("BAD_USER_INPUT", "body", create, body)
        self.assertEqual(len(create("x" * 65536, self.room())["body"]), 65536)
        for room in ("", "r" * 129, "a\nb", "a\0b", "a\x7f", "a\x85"):
            self.refused("BAD_USER_INPUT", "room", create, "x", room)
            self.refused("BAD_USER_INPUT", "room", page, room=room)
            self.refused("BAD_USER_INPUT", "room", self.gateway.call, "Subscription.addMessage", {"room": room})
        long = "\U0001F600" * 128
        self.gateway.subscribe("room/" + long)
        self.gateway.event_of_kind("head")
        self.assertEqual(create("x", long)["room"], long)
        self.assertEqual(self.gateway.event_of_kind("data")["stream"], "room/" + long)
        self.assertEqual(self.gateway.replay("room/" + long, after=0)["head"], 1)
        self.gateway.unsubscribe("room/" + long)
        for id in ("", "x", "123", str(uuid.uuid4()) + "0", uuid.uuid4().hex):
            self.refused("BAD_USER_INPUT", "messageId", create, "x", None, id)
        for name in ("first", "last"):
            for n in (0, -1, 501, 2**40):
                self.refused("BAD_USER_INPUT", name, page, **{name: n})
        self.refused("BAD_USER_INPUT", "last", page, first=1, last=1)
        self.refused("BAD_USER_INPUT", "filter", page, filter="x" * 4097)
        self.refused("BAD_USER_INPUT", "filter", page, filter="a\0")
        self.refused("BAD_USER_INPUT", "body", self.gateway.call, "Mutation.createMessage", {})
        self.refused("UNAUTHENTICATED", None, create, "x", identity=None)

    def test_pages(self):
        room = self.room()
        all = [self.gateway.create(f"m{i}", room) for i in range(120)]
        page = lambda **args: [m["body"] for m in self.gateway.page(room=room, **args)]
        bodies = [m["body"] for m in all]
        cursor = lambda i: all[i]["cursor"]
        self.assertEqual(page(), bodies[-100:])
        self.assertEqual(page(first=3), bodies[:3])
        self.assertEqual(page(last=3), bodies[-3:])
        self.assertEqual(page(last=500), bodies)
        self.assertEqual(page(first=3, after=cursor(9)), bodies[10:13])
        self.assertEqual(page(last=3, before=cursor(9)), bodies[6:9])
        self.assertEqual(page(after=cursor(9)), bodies[10:110])
        self.assertEqual(page(before=cursor(110)), bodies[10:110])
        self.assertEqual(page(last=2, after=cursor(9), before=cursor(13)), bodies[11:13])
        self.assertEqual(page(first=2, after=cursor(9), before=cursor(13)), bodies[10:12])
        self.assertEqual(page(first=9, before=cursor(2)), bodies[:2])
        self.assertEqual(page(after=cursor(119)), [])
        self.assertEqual(page(before=cursor(0)), [])
        self.refused("BAD_USER_INPUT", "after", self.gateway.page, room=room, after=cursor(3), before=cursor(3))
        walked, after = [], None
        while part := self.gateway.page(room=room, first=7, **({"after": after} if after else {})):
            walked += part
            after = part[-1]["cursor"]
        self.assertEqual(walked, all)

    def test_filter(self):
        room = self.room()
        bodies = ["Hello World", "100% sure", "100 sure", "a_b", "axb", "back\\slash", "ÄRGER", "ärger", "ΣΊΣΥΦΟΣ", "", "x"]
        for body in filter(None, bodies):
            self.gateway.create(body, room)
        page = lambda text, **args: [m["body"] for m in self.gateway.page(room=room, filter=text, **args)]
        self.assertEqual(page("hello w"), ["Hello World"])
        self.assertEqual(page("100%"), ["100% sure"])
        self.assertEqual(page("%"), ["100% sure"])
        self.assertEqual(page("_"), ["a_b"])
        self.assertEqual(page("\\"), ["back\\slash"])
        self.assertEqual(page("ärg"), ["ÄRGER", "ärger"])
        self.assertEqual(page("σίσ"), ["ΣΊΣΥΦΟΣ"])
        self.assertEqual(len(page("")), 10)
        self.assertEqual(page("sure", first=1), ["100% sure"])
        self.assertEqual(page("sure", last=1), ["100 sure"])
        self.assertEqual(page("nothing like it"), [])

    def test_cursors(self):
        room, other = self.room(), self.room()
        made = self.gateway.create("x", room)
        foreign = self.gateway.create("x", other)["cursor"]
        epoch = self.gateway.hello()["epoch"]
        raw = base64url(made["cursor"])
        self.assertEqual(raw[:9], b"\x01" + bytes.fromhex(epoch))
        future = unbase64url(raw[:-8] + (2).to_bytes(8, "big"))
        huge = unbase64url(raw[:-8] + (2**63).to_bytes(8, "big"))
        past = unbase64url(raw[:1] + bytes(8) + raw[9:])
        subscribe = lambda **args: self.gateway.call("Subscription.addMessage", {"room": room, **args})
        page = lambda **args: self.gateway.page(room=room, **args)
        for do in (subscribe, page):
            for bad in ("", "x", "!" * 34, made["cursor"] + "A", foreign, huge):
                self.refused("BAD_USER_INPUT", "after", do, after=bad)
            for gone in (future, past):
                self.refused("CURSOR_EXPIRED", None, do, after=gone)
        for gone in (future, past):
            self.refused("CURSOR_EXPIRED", None, page, before=gone)
        self.assertEqual(subscribe(after=made["cursor"])["start"], {"after": 1})
        self.assertEqual(subscribe(last=5)["start"], {"last": 5})
        self.assertEqual(subscribe()["start"], "live")
        self.refused("BAD_USER_INPUT", "last", subscribe, last=5, after=made["cursor"])
        self.refused("BAD_USER_INPUT", "last", subscribe, last=0)
        resumed = self.gateway.call("Subscription.addMessage", {"room": room, "last": 5, "after": "x"}, resume=made["cursor"])
        self.assertEqual(resumed["start"], {"after": 1})
        self.refused("BAD_USER_INPUT", "resume", self.gateway.call, "Subscription.addMessage", {"room": room}, resume="x")
        self.refused("CURSOR_EXPIRED", None, self.gateway.call, "Subscription.addMessage", {"room": room}, resume=future)
        postgres.sql(f"UPDATE rooms SET first_seq = 4, last_seq = 6 WHERE room = '{room}'", self.url)
        self.refused("CURSOR_EXPIRED", None, subscribe, after=made["cursor"])
        postgres.sql(f"UPDATE rooms SET first_seq = 1, last_seq = 1 WHERE room = '{room}'", self.url)

    def test_many_subscriptions_at_once_cost_a_handful_of_statements(self):
        room, queries = self.room(), lambda: self.store.metrics()["parley_store_start_queries_total"]
        made = [self.gateway.create(f"m{i}", room) for i in range(3)]
        raw = base64url(made[0]["cursor"])
        future = unbase64url(raw[:-8] + (4).to_bytes(8, "big"))
        before, ids = queries(), []
        for i in range(3000):  # each a message of its own, so that they come in many turns of the loop
            after = future if i % 100 == 99 else made[i % 3]["cursor"]
            ids.append(self.gateway.post("Subscription.addMessage", {"room": room, "after": after}))
        for i, id in enumerate(ids):
            if i % 100 == 99:
                self.refused("CURSOR_EXPIRED", None, self.gateway.wait, id)
            else:
                answer = self.gateway.wait(id)
                self.assertEqual((answer["start"], answer["head"]), ({"after": i % 3 + 1}, 3))
        self.assertLessEqual(queries() - before, 20)
        self.assertEqual(self.gateway.call("Subscription.addMessage", {"room": self.room()})["head"], 0)

    def test_those_who_come_back_at_once_share_what_was_read(self):
        rooms, queries = [self.room() for _ in range(10)], lambda: self.store.metrics()["parley_store_start_queries_total"]
        made = [[self.gateway.create(f"m{i}", room) for i in range(3)] for room in rooms]
        resume = lambda room, cursor: self.gateway.post("Subscription.addMessage", {"room": room}, resume=cursor)
        before = queries()
        ids = []
        for i in range(3000):  # for longer than one statement takes
            ids.append(resume(rooms[i % 10], made[i % 10][i // 10 % 3]["cursor"]))
            if i % 100 == 99:
                time.sleep(0.06)
        for i, id in enumerate(ids):
            answer = self.gateway.wait(id)
            self.assertEqual((answer["start"], answer["head"]), ({"after": i // 10 % 3 + 1}, 3))
        self.assertLessEqual(queries() - before, 5)
        # What lies beyond that is looked up, and so is every start without a cursor.
        newest = self.gateway.create("m3", rooms[0])
        self.assertEqual(self.gateway.call("Subscription.addMessage", {"room": rooms[0]})["head"], 4)
        raw = base64url(newest["cursor"])
        future = unbase64url(raw[:-8] + (5).to_bytes(8, "big"))
        self.refused("CURSOR_EXPIRED", None, self.gateway.wait, resume(rooms[0], future))
        self.assertEqual(self.gateway.wait(resume(rooms[0], newest["cursor"]))["head"], 4)

    def test_a_page_too_large_for_the_bus_is_refused(self):
        room = self.room()
        ids = [self.gateway.post("Mutation.createMessage", {"room": room, "body": "\x01" * 65000}) for _ in range(40)]
        for id in ids:
            self.gateway.wait(id)
        self.refused("LIMIT_EXCEEDED", None, self.gateway.page, room=room)
        self.assertEqual(len(self.gateway.page(room=room, last=10)), 10)
        events, after = [], 0
        while True:  # REPLAY sends fewer, and is asked again
            part = self.gateway.replay("room/" + room, after=after)
            self.assertEqual(part["head"], 40)
            events += part["events"]
            after = events[-1]["seq"]
            if after == part["head"]:
                break
            self.assertLess(len(part["events"]), 40)
        self.assertEqual([e["seq"] for e in events], list(range(1, 41)))

    def test_replays_that_come_together_share_statements(self):
        rooms = [self.room() for _ in range(18)]
        for i, room in enumerate(rooms):
            for n in range(i % 4):  # none in some
                self.gateway.create(f"{room} {n}", room)
        asked = [{"stream": "room/" + room, "after": i % 3, "limit": 1 + i % 2} for i, room in enumerate(rooms)]
        alone = [self.gateway.wait(self.gateway.request(REPLAY, args)) for args in asked]
        read = lambda: sum(count for name, count in self.store.metrics().items()
                           if name.startswith('parley_store_database_seconds_count{link="reader'))
        ids, before = [uuid7() for _ in asked], read()
        self.gateway.send(*(record(REPLAY, args, id) for args, id in zip(asked, ids)))
        self.assertEqual([self.gateway.wait(id) for id in ids], alone)
        self.assertEqual(read() - before, 2)
        for i, answer in enumerate(alone):
            self.assertEqual((answer["head"], [event["seq"] for event in answer["events"]]),
                             (i % 4, list(range(i % 3 + 1, min(i % 4, i % 3 + 1 + i % 2) + 1))))

    def test_a_guarded_room_takes_its_messages_carefully(self):
        """By FAST first, which takes none of it and leaves no hole. No name of a guarded room is like that: a private
        room's messages go by CAREFUL at once."""
        room, free = self.room(), self.room()
        self.gateway.create("before", room)
        postgres.sql(let_rooms_be_guarded([room]) + f"UPDATE rooms SET guarded = true WHERE room = '{room}'", self.url)
        ids = [(r, who, self.gateway.post("Mutation.createMessage", {"room": r, "body": str(i)}, who))
               for i in range(10) for r in (room, free) for who in (ALICE, BOB)]
        for r, who, id in ids:
            if (r, who) == (room, BOB):
                self.refused("FORBIDDEN", None, self.gateway.wait, id)
            else:
                self.gateway.wait(id)
        self.assert_dense(self.url, room, 11)
        self.assert_dense(self.url, free, 20)


class Log(WithStore):
    def test_replay(self):
        room = self.room()
        self.assertEqual(self.gateway.replay("room/" + room, after=0),
                         {"stream": "room/" + room, "epoch": self.gateway.hello()["epoch"], "head": 0, "first": 1, "events": []})
        all = [self.gateway.create(f"m{i}", room) for i in range(20)]
        answer = self.gateway.replay("room/" + room, after=5)
        self.assertEqual([e["seq"] for e in answer["events"]], list(range(6, 21)))
        self.assertEqual([e["payload"] for e in answer["events"]], all[5:])
        self.assertEqual({e["type"] for e in answer["events"]}, {"createMessage"})
        self.assertEqual([e["seq"] for e in self.gateway.replay("room/" + room, last=3)["events"]], [18, 19, 20])
        self.assertEqual([e["seq"] for e in self.gateway.replay("room/" + room, after=5, limit=2)["events"]], [6, 7])
        self.assertEqual(self.gateway.replay("room/" + room, after=20)["events"], [])
        self.refused("NOT_FOUND", None, self.gateway.replay, "other/x", after=0)
        self.refused("INTERNAL", None, self.gateway.replay, "room/x")

    def test_heads(self):
        room = self.room()
        for i in range(3):
            self.gateway.create("x", room)
        wanted = [{"stream": "room/" + room, "head": 3, "first": 1}, {"stream": "room/none-" + room, "head": 0, "first": 1}]
        streams = [w["stream"] for w in wanted]
        for settled in (False, True):
            self.assertEqual(self.gateway.heads(*streams, settled=settled)["heads"], wanted)
            self.assertEqual(self.gateway.heads(*reversed(streams), streams[0], settled=settled)["heads"],
                             [wanted[1], wanted[0], wanted[0]])
            self.assertEqual(self.gateway.heads(settled=settled)["heads"], [])
        many = [f"room/m{i}" for i in range(1000)]
        self.assertEqual(len(self.gateway.heads(*many)["heads"]), 1000)
        self.assertEqual(len(self.gateway.heads(*many, settled=True)["heads"]), 1000)
        self.refused("BAD_USER_INPUT", "streams", self.gateway.heads, *many, "room/x")
        self.assertEqual(postgres.sql("SELECT count(*) FROM rooms WHERE last_seq = 0", self.url), "0")  # nothing was written

    def test_settled_heads_wait_for_the_lock(self):
        room = self.room()
        self.gateway.create("x", room)
        other = f"BEGIN; UPDATE rooms SET last_seq = 2 WHERE room = '{room}'; INSERT INTO messages (room, seq, id, handle, body, created_at) " \
                f"VALUES ('{room}', 2, gen_random_uuid(), 'orphan', 'x', now()); SELECT pg_sleep(1); COMMIT"
        thread = threading.Thread(target=postgres.sql, args=(other, self.url))
        thread.start()
        while postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1)%' AND wait_event = 'PgSleep'", self.url) == "0":
            time.sleep(0.01)
        self.assertEqual(self.gateway.heads("room/" + room)["heads"][0]["head"], 1)
        self.assertEqual(self.gateway.heads("room/" + room, settled=True)["heads"][0]["head"], 2)
        thread.join()

    def test_a_subscription_gets_a_head_and_then_events(self):
        room = self.room()
        self.gateway.create("x", room)
        self.gateway.subscribe("room/" + room)
        head = self.gateway.event()
        self.assertEqual((head["kind"], head["seq"], head["stream"]), ("head", 1, "room/" + room))
        self.assertEqual(head["incarnation"], self.gateway.hello()["incarnation"])
        made = self.gateway.create("y", room)
        event = self.gateway.event_of_kind("data")
        self.assertEqual((event["seq"], event["type"], event["payload"]), (2, "createMessage", made))
        began = time.time()
        heads = []
        while time.time() < began + 2.6:
            try:
                heads.append((self.gateway.event(0.2)["seq"], time.time() - began))
            except NoAnswer:
                pass
        self.assertEqual([seq for seq, _ in heads], [2, 2, 2])
        self.assertLess(heads[0][1], 0.4)
        self.gateway.subscribe("room/" + room)  # again, on the same socket: a poke
        self.assertEqual(self.gateway.event(1)["kind"], "head")
        self.gateway.unsubscribe("room/" + room)
        self.gateway.unsubscribe("room/" + room)

    def test_heads_are_repeated_only_where_somebody_listens(self):
        room, other = self.room(), Gateway(self.store)
        read = lambda: self.store.metrics()["parley_store_head_queries_total"]
        def grows(id=None):
            before = read()
            self.gateway.create("x", room, id)
            time.sleep(0.4)
            return read() > before
        is_still = lambda: any(not grows() for _ in range(8))  # other tests' rooms may be repeated for a while
        self.assertTrue(is_still())
        for gateway in (self.gateway, other):
            gateway.subscribe("room/" + room)
            self.assertEqual(gateway.event()["kind"], "head")
        self.assertTrue(grows())
        self.gateway.unsubscribe("room/" + room)
        self.assertTrue(grows())
        other.close()  # without a word
        self.assertTrue(is_still())
        again = Gateway(self.store)
        again.subscribe("room/" + room)
        self.assertGreater(again.event()["seq"], 3)
        self.assertTrue(grows())
        again.close()

    def test_every_gateway_gets_a_head(self):
        room = self.room()
        others = [Gateway(self.store) for _ in range(3)]
        for other in others:
            other.subscribe("room/" + room)
            self.assertEqual(other.event()["kind"], "head")
            other.close()

    def test_ten_thousand_topics(self):
        other = Gateway(self.store)
        prefix = self.room()
        for i in range(10000):
            other.subscribe(f"room/{prefix}-{i}")
        heads = {other.event_of_kind("head", 20)["stream"] for _ in range(10000)}
        self.assertEqual(len(heads), 10000)
        other.close()

    def test_a_repeated_message_publishes_a_head(self):
        room, id = self.room(), str(uuid.uuid4())
        self.gateway.create("x", room, id)
        self.gateway.subscribe("room/" + room)
        self.gateway.event_of_kind("head")
        time.sleep(0.7)
        while True:
            try:
                self.gateway.event(0.05)
            except NoAnswer:
                break
        self.gateway.create("x", room, id)
        self.assertEqual(self.gateway.event(0.09)["kind"], "head")
        self.gateway.unsubscribe("room/" + room)

    def test_strange_topics(self):
        for topic in (b"", b"\0", b"room/\0", b"room/x", b"\xff\0", b"room/\xff\0", b"room/a\0b\0", b"other/x\0", b"room/" + b"x" * 600 + b"\0"):
            self.gateway.sub.setsockopt(zmq.SUBSCRIBE, topic)
        room = self.room()
        other = Gateway(self.store)
        other.subscribe("room/" + room)
        self.assertEqual(other.event()["stream"], "room/" + room)
        other.close()
        for topic in (b"", b"room/x"):
            self.gateway.sub.setsockopt(zmq.UNSUBSCRIBE, topic)


class TwoStores(WithStore):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = Store(cls.url, scratch).start()

    @classmethod
    def tearDownClass(cls):
        assert cls.second.stop() == 0
        super().tearDownClass()

    def test_density_with_concurrent_writers_and_duplicates(self):
        """4 writers over 2 stores, a shared window of ids, few rooms: dense, no duplicate, each answer is the stored row."""
        rooms = [self.room() for _ in range(4)]
        ids = [str(uuid.uuid4()) for _ in range(600)]
        postgres.sql(let_rooms_be_guarded(rooms), self.url)

        def write(n):
            import random
            rng, gateway, results = random.Random(n), Gateway([self.store, self.second][n % 2]), []
            for _ in range(60):
                calls = {}
                for _ in range(20):
                    id, room = rng.choice(ids), rng.choice(rooms)
                    calls[gateway.post("Mutation.createMessage", {"body": f"{n}", "room": room, "messageId": id})] = (room, id)
                for call, (room, id) in calls.items():
                    made = gateway.wait(call)
                    assert (made["room"], made["messageId"]) == (room, id)
                    results.append(made)
            gateway.close()
            return results

        done = threading.Event()

        def guard():
            """Rooms become guarded and free again all the time: FAST and CAREFUL beside each other."""
            n = 0
            while not done.is_set():
                postgres.sql(f"UPDATE rooms SET guarded = NOT guarded WHERE room = '{rooms[n % 2]}'", self.url)
                n += 1

        guarding = threading.Thread(target=guard)
        guarding.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                results = [made for part in pool.map(write, range(4)) for made in part]
        finally:
            done.set()
            guarding.join()
        self.assertEqual(self.store.log().count("deadlock"), 0)
        first = {}
        for made in results:
            self.assertEqual(first.setdefault((made["room"], made["messageId"]), made), made)
        for room in rooms:
            self.assert_dense(self.url, room, sum(1 for key in first if key[0] == room))
            replay = self.gateway.replay("room/" + room, after=0)["events"]
            self.assertEqual(len(replay), len({e["payload"]["messageId"] for e in replay}))
            for event in replay:
                self.assertEqual(first[room, event["payload"]["messageId"]], event["payload"])
        self.assertGreater(self.store.metrics()["parley_store_careful_batches_total"], 0)

    def test_events_of_both_stores_are_in_seq_order_each(self):
        room = self.room()
        gateways = [Gateway(self.store), Gateway(self.second)]
        for gateway in gateways:
            gateway.subscribe("room/" + room)
            gateway.event_of_kind("head")
        calls = [(gateway, gateway.post("Mutation.createMessage", {"room": room, "body": "x"})) for _ in range(200) for gateway in gateways]
        for gateway, call in calls:
            gateway.wait(call)
        seen = []
        for gateway in gateways:
            seqs = [gateway.event_of_kind("data")["seq"] for _ in range(200)]
            self.assertEqual(seqs, sorted(seqs))
            seen += seqs
            gateway.close()
        self.assertEqual(sorted(seen), list(range(1, 401)))

    def test_a_read_sees_what_the_other_store_acknowledged(self):
        room, other = self.room(), Gateway(self.second)
        for i in range(50):
            made = self.gateway.create(str(i), room)
            self.assertEqual(other.page(room=room, last=1), [made])
            self.assertEqual(other.call("Subscription.addMessage", {"room": room, "after": made["cursor"]})["start"], {"after": i + 1})
        other.close()


    def test_tails_are_current_whoever_wrote(self):
        """Newest pages come from memory, but never miss what was acknowledged by the other store."""
        import random

        rng, room = random.Random(3), self.room()
        gateways = [Gateway(self.store), Gateway(self.second)]
        written = []
        hits = self.store.metrics()["parley_store_tail_hits_total"]
        for _ in range(400):
            if rng.random() < 0.5:
                burst = rng.choice((1, 1, 1, 7, 30))
                gateway = rng.choice(gateways)
                calls = [gateway.post("Mutation.createMessage", {"body": str(i), "room": room}) for i in range(burst)]
                made = {gateway.wait(call)["messageId"] for call in calls}
                replay = gateway.replay("room/" + room, after=len(written))["events"]
                self.assertEqual({e["payload"]["messageId"] for e in replay}, made)
                written += [e["payload"] for e in replay]
            last = rng.choice((1, 5, 50, 100, 150, 200, 201, 500))
            self.assertEqual(rng.choice(gateways).page(room=room, last=last), written[-last:])
        self.assertGreater(self.store.metrics()["parley_store_tail_hits_total"], hits + 20)
        self.assertGreater(self.store.metrics()["parley_store_tail_repairs_total"], 0)
        for gateway in gateways:
            gateway.close()

    def test_a_tail_far_behind_is_read_anew(self):
        room, other = self.room(), Gateway(self.second)
        first = other.create("first", room)
        self.assertEqual(other.page(room=room), [first])
        calls = [self.gateway.post("Mutation.createMessage", {"body": str(i), "room": room}) for i in range(450)]
        for call in calls:
            self.gateway.wait(call)
        everything = [e["payload"] for e in self.gateway.replay("room/" + room, after=0)["events"]]
        self.assertEqual(other.page(room=room), everything[-100:])
        self.assertEqual(other.page(room=room, last=200), everything[-200:])
        other.close()

    def test_other_events_make_tails_be_read_anew(self):
        room = self.room()
        made = [self.gateway.create(str(i), room) for i in range(3)]
        self.assertEqual(self.gateway.page(room=room), made)
        postgres.sql(f"WITH r AS (UPDATE rooms SET last_seq = last_seq + 1 WHERE room = '{room}' RETURNING last_seq) "
                     f"INSERT INTO messages (room, seq, id, type, handle, body, created_at) "
                     f"SELECT '{room}', last_seq, gen_random_uuid(), 'editMessage', 'alice', '', now() FROM r", self.url)
        self.assertEqual(self.gateway.page(room=room), made)
        made.append(self.gateway.create("after it", room))
        self.assertEqual(self.gateway.page(room=room), made)
        self.assertEqual([e["type"] for e in self.gateway.replay("room/" + room, after=0)["events"]],
                         ["createMessage"] * 3 + ["editMessage", "createMessage"])


class Faults(WithStore):
    """Each test has a store of its own beside the class's; PostgreSQL's are in a cluster of their own."""

    def flow(self, gateway, room, count):
        return {gateway.post("Mutation.createMessage", {"room": room, "body": str(i)}, timeout_s=20): i for i in range(count)}

    def test_killed_in_mid_flight_and_retried(self):
        store = Store(self.url, scratch).start()
        room = self.room()
        for round in range(5):
            gateway = Gateway(store)
            calls = self.flow(gateway, room, 300)
            time.sleep(0.01 * round)
            store.kill()
            store.start()
            # As a gateway does: the same ids again, all of them.
            for call, i in calls.items():
                gateway.post("Mutation.createMessage", {"room": room, "body": str(i)}, id=call, timeout_s=20)
            made = {gateway.wait(call)["messageId"] for call in calls}
            self.assertEqual(len(made), 300)
            gateway.close()
            self.assert_dense(self.url, room, 300 * (round + 1))
        store.stop()

    def test_killed_between_commit_and_publish(self):
        store = Store(self.url, scratch).start(env={"PARLEY_FAULT": "exit_after_commit"})
        gateway, room = Gateway(store), self.room()
        call = gateway.post("Mutation.createMessage", {"room": room, "body": "x"})
        try:
            store.process.wait(5)
        except Exception:
            store.stop()
            self.skipTest("this store was built without fault points")
        self.assertEqual(self.gateway.heads("room/" + room, settled=True)["heads"][0]["head"], 1)
        watcher = Gateway(self.store)
        watcher.subscribe("room/" + room)
        watcher.event_of_kind("head")
        # The gateway's retry on the sister: the same result, and a head for those who missed the event.
        made = self.gateway.create("x", room, id=call)
        self.assertEqual(made["messageId"], str(uuid.UUID(bytes=call)))
        self.assertEqual(watcher.event_of_kind("head", 1)["seq"], 1)
        self.assert_dense(self.url, room, 1)
        watcher.close()
        gateway.close()

    def test_a_lost_event_is_made_good_by_heads(self):
        store = Store(self.url, scratch).start(env={"PARLEY_FAULT": "skip_publish:2"})
        gateway, room = Gateway(store), self.room()
        gateway.subscribe("room/" + room)
        gateway.event_of_kind("head")
        for _ in range(2):
            gateway.create("x", room)
        if gateway.event_of_kind("data")["seq"] != 1:
            self.fail("the first event is missing")
        head = gateway.event(1)
        if head["kind"] == "data":
            self.skipTest("this store was built without fault points")
        self.assertEqual((head["kind"], head["seq"]), ("head", 2))
        gateway.close()
        self.assertEqual(store.stop(), 0)

    def test_reads_before_the_first_contact_wait(self):
        cluster = Postgres()
        try:
            url = cluster.database()
            cluster.stop("fast")
            store = Store(url, scratch).start(wait=False)
            gateway = Gateway(store)
            calls = [gateway.post("Query.getMessages", {"room": "x"}, timeout_s=20),
                     gateway.post("Subscription.addMessage", {"room": "x"}, timeout_s=20),
                     gateway.request(REPLAY, {"stream": "room/x", "after": 0, "limit": 9}, timeout_s=20),
                     gateway.request(HEADS, {"streams": ["room/x"]}, timeout_s=20)]
            gateway.subscribe("room/x")
            impatient = gateway.post("Query.getMessages", {"room": "x"}, timeout_s=0.5)
            error = self.refused("UNAVAILABLE", None, gateway.wait, impatient)
            self.assertEqual(error.extensions["outcome"], "none")
            cluster.start()
            self.assertEqual(gateway.wait(calls[0]), [])
            self.assertEqual(gateway.wait(calls[1])["start"], "live")
            self.assertEqual(gateway.wait(calls[2])["head"], 0)
            self.assertEqual(gateway.wait(calls[3])["heads"][0]["head"], 0)
            self.assertEqual(gateway.event_of_kind("head")["seq"], 0)
            cluster.stop("immediate")
            calls = [gateway.post(field, {"room": "x", "body": "x"}, timeout_s=20) for field in ("Query.getMessages", "Mutation.createMessage")]
            while store.metrics()["parley_store_calls_in_flight"] < 2:
                time.sleep(0.01)
            began = time.time()
            self.assertEqual(store.stop(), 0)  # waiting for nothing that may never come
            self.assertLess(time.time() - began, 6)
            for call in calls:
                self.refused("UNAVAILABLE", None, gateway.wait, call)
            gateway.close()
        finally:
            cluster.remove()

    def test_a_filter_that_scans_starves_nobody(self):
        room = self.room()
        postgres.sql(f"INSERT INTO rooms (room, last_seq) VALUES ('{room}', 1000); INSERT INTO messages (room, seq, id, handle, body, created_at) "
                     f"SELECT '{room}', n, gen_random_uuid(), 'x', 'lorem ipsum', now() FROM generate_series(1, 1000) n; "
                     f"CREATE OR REPLACE FUNCTION body_matches(body text, pattern text) RETURNS boolean LANGUAGE plpgsql AS "
                     f"'BEGIN PERFORM pg_sleep(0.05); RETURN false; END'", self.url)
        slow = [self.gateway.post("Query.getMessages", {"room": room, "filter": "nowhere"}, timeout_s=30) for _ in range(4)]
        for _ in range(20):
            began = time.time()
            self.assertEqual(len(self.gateway.page(room=room, last=50, before=self.gateway.page(room=room, last=1)[0]["cursor"])), 50)
            self.gateway.create("x", room)
            self.assertLess(time.time() - began, 1)
        for call in slow:
            error = self.refused("TIMEOUT", None, self.gateway.wait, call, 20)
            self.assertEqual(error.extensions["outcome"], "none")

    def test_writer_connection_cut_in_mid_flight(self):
        room = self.room()
        calls = self.flow(self.gateway, room, 2000)
        for _ in range(10):
            postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'parley-store%' AND datname = current_database()", self.url)
            time.sleep(0.05)
        for call in calls:
            self.gateway.wait(call, 20)
        self.assert_dense(self.url, room, 2000)
        self.assertGreater(self.store.metrics()["parley_store_batch_retries_total"], 0)

    def test_postgres_restarted_in_mid_flight(self):
        cluster = Postgres()
        try:
            url = cluster.database()
            store = Store(url, scratch).start()
            gateway, room = Gateway(store), self.room()
            for mode in ("immediate", "fast"):
                calls = self.flow(gateway, room, 1000)
                time.sleep(0.02)
                cluster.stop(mode)
                self.assertFalse(store.is_ready())
                manifest = gateway.hello()
                self.assertFalse(manifest["ready"])
                self.assertNotIn("epoch", manifest)
                self.assertNotIn("issuer", manifest)
                read = gateway.post("Query.getMessages", {"room": room}, timeout_s=20)
                error = self.refused("UNAVAILABLE", None, gateway.page, room=room, timeout_s=0.5) if False else None
                short = time.time()
                id = gateway.post("Query.getMessages", {"room": room}, timeout_s=1)
                error = self.refused("UNAVAILABLE", None, gateway.wait, id)
                self.assertLess(time.time() - short, 1.05)
                self.assertEqual(error.extensions["outcome"], "none")
                self.assertGreater(error.extensions["retryAfterMs"], 0)
                id = gateway.post("Mutation.createMessage", {"room": room, "body": "never"}, timeout_s=1)
                error = self.refused("UNAVAILABLE", None, gateway.wait, id)
                self.assertEqual(error.extensions["outcome"], "none")
                cluster.start()
                for call in calls:
                    gateway.wait(call, 20)
                gateway.wait(read)
            rows = cluster.sql(f"SELECT count(*), max(seq), (SELECT last_seq FROM rooms WHERE room='{room}'), count(*) FILTER (WHERE body='never') FROM messages WHERE room='{room}'", url)
            self.assertEqual(rows, "2000|2000|2000|0")
            gateway.close()
            self.assertEqual(store.stop(), 0)
        finally:
            cluster.remove()

    def test_postgres_down_at_start(self):
        cluster = Postgres()
        try:
            url = cluster.database()
            cluster.stop("fast")
            store = Store(url, scratch).start(wait=False)
            gateway = Gateway(store)
            self.assertFalse(gateway.hello()["ready"])
            call = gateway.post("Mutation.createMessage", {"room": "early", "body": "x"}, timeout_s=20)
            time.sleep(0.5)
            self.assertFalse(store.is_ready())
            self.assertEqual(store.log().count("database away"), 1)  # one line for one reason
            cluster.start()
            self.assertEqual(gateway.wait(call, 20)["room"], "early")
            store.wait_ready()
            gateway.close()
            self.assertEqual(store.stop(), 0)
        finally:
            cluster.remove()

    def test_a_stopped_postgres_is_noticed(self):
        """SIGSTOP: connections stay, nothing answers. Calls end at their deadlines, not never."""
        pid = int(postgres.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'parley-store writer' AND datname = current_database()", self.url))
        os.kill(pid, 19)
        try:
            id = self.gateway.post("Mutation.createMessage", {"room": "stopped", "body": "x"}, timeout_s=30)
            began = time.time()
            while "does not answer" not in self.store.log() and time.time() < began + 15:
                time.sleep(0.1)
            self.assertIn("does not answer", self.store.log())
        finally:
            os.kill(pid, 18)
        self.assertEqual(self.gateway.wait(id, 30)["room"], "stopped")
        self.assert_dense(self.url, "stopped", 1)

    def test_a_row_locked_by_somebody_else_delays_only_until_the_deadline(self):
        room = self.room()
        self.gateway.create("x", room)
        lock = threading.Thread(target=postgres.sql, args=(f"BEGIN; UPDATE rooms SET last_seq = last_seq WHERE room = '{room}'; SELECT pg_sleep(2); ROLLBACK", self.url))
        lock.start()
        time.sleep(0.3)
        self.assertEqual(self.gateway.create("y", room, timeout_s=10)["body"], "y")
        lock.join()
        self.assert_dense(self.url, room, 2)

    def test_a_bad_row_fails_alone(self):
        room = self.room()
        postgres.sql("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (body <> 'poison')", self.url)
        try:
            calls = {self.gateway.post("Mutation.createMessage", {"room": room, "body": "poison" if i in (17, 130, 131) else str(i)}): i for i in range(300)}
            for call, i in calls.items():
                if i in (17, 130, 131):
                    self.refused("INTERNAL", None, self.gateway.wait, call)
                else:
                    self.assertEqual(self.gateway.wait(call)["body"], str(i))
            self.assert_dense(self.url, room, 297)
        finally:
            postgres.sql("ALTER TABLE messages DROP CONSTRAINT no_poison", self.url)

    def test_sigterm_finishes_what_runs(self):
        store = Store(self.url, scratch).start()
        gateway, room = Gateway(store), self.room()
        calls = self.flow(gateway, room, 500)
        first = next(iter(calls))
        gateway.wait(first)
        self.assertEqual(store.stop(), 0)
        answered = 1
        for call in list(calls)[1:]:
            try:
                gateway.wait(call, 0.3)
                answered += 1
            except NoAnswer:
                pass
        stored = int(postgres.sql(f"SELECT count(*) FROM messages WHERE room = '{room}'", self.url))
        self.assertEqual(answered, stored)  # nothing was stored without an answer
        gateway.close()

    def test_a_flood_is_answered(self):
        gateway = Gateway(self.store)
        gateway.dealer.sndhwm = 0
        calls = [gateway.post("Mutation.createMessage", {"room": "flood", "body": "x"}, timeout_s=30) for _ in range(30000)]
        ok = limited = 0
        for call in calls:
            try:
                gateway.wait(call, 30)
                ok += 1
            except Failure as failure:
                self.assertEqual((failure.code, failure.extensions["outcome"]), ("LIMIT_EXCEEDED", "none"))
                limited += 1
        self.assertEqual(ok + limited, 30000)
        self.assert_dense(self.url, "flood", ok)
        gateway.close()


class Soak(unittest.TestCase):
    """Two stores and PostgreSQL are killed and cut at random under load, for PARLEY_SOAK_SECONDS (10)."""

    def writer(self, n, stores, rooms, until, results):
        """As a gateway does: what got no answer goes to the other store, under the same id and deadline."""
        import random

        rng = random.Random(n)
        gateways = [Gateway(store) for store in stores]
        while time.time() < until:
            room, id, deadline = rng.choice(rooms), uuid7(), time.time() + 8
            body = {"field": "Mutation.createMessage", "identity": ALICE, "args": {"body": f"{n}", "room": room}}
            outcome = "unknown"
            while time.time() < deadline and outcome == "unknown":
                gateway = rng.choice(gateways)
                gateway.send(record(CALL, body, id, deadline_ms=int(deadline * 1000)))
                try:
                    outcome = gateway.wait(id, 1.0)
                except NoAnswer:
                    pass
                except Failure as failure:
                    # "none" speaks for that store's copy of the call only, once it was sent twice.
                    outcome = failure.extensions["outcome"] if failure.code in ("UNAVAILABLE", "TIMEOUT") else failure.code
                    break
            results.append((room, str(uuid.UUID(bytes=id)), outcome))
        for gateway in gateways:
            gateway.close()

    def harm(self, cluster, url, stores, until):
        import random

        rng = random.Random(5)
        while time.time() < until:
            time.sleep(rng.uniform(0.1, 0.8))
            what = rng.random()
            store = rng.choice(stores)
            if what < 0.35:
                store.kill()
                store.start(wait=False)
            elif what < 0.5:
                store.process.send_signal(signal.SIGSTOP)
                time.sleep(rng.uniform(0.1, 1.5))
                store.process.send_signal(signal.SIGCONT)
            elif what < 0.6:
                store.stop()
                store.start(wait=False)
            elif what < 0.95:
                try:
                    cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'parley-store%'", url)
                except subprocess.CalledProcessError:
                    pass
            else:
                cluster.stop(rng.choice(("immediate", "fast")))
                cluster.start()

    def test_nothing_is_lost_doubled_or_out_of_order(self):
        cluster = Postgres()
        try:
            url = cluster.database()
            stores = [Store(url, scratch).start() for _ in range(2)]
            rooms, results = [f"soak{i}" for i in range(5)], []
            until = time.time() + float(os.environ.get("PARLEY_SOAK_SECONDS", "10"))
            threads = [threading.Thread(target=self.writer, args=(n, stores, rooms, until, results)) for n in range(8)]
            for thread in threads:
                thread.start()
            self.harm(cluster, url, stores, until)
            for thread in threads:
                thread.join()
            for store in stores:
                store.wait_ready()
            gateway = Gateway(stores[0])
            log, acknowledged = {}, 0
            for room in rooms:
                answer = gateway.replay("room/" + room, after=0)
                events = answer["events"]
                while len(events) < answer["head"]:
                    events += gateway.replay("room/" + room, after=len(events))["events"]
                self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))
                self.assertEqual(gateway.page(room=room, last=200), [e["payload"] for e in events[-200:]])
                for event in events:
                    key = (room, event["payload"]["messageId"])
                    self.assertNotIn(key, log)
                    log[key] = event["payload"]
            for room, id, outcome in results:
                if isinstance(outcome, dict):
                    self.assertEqual(log.get((room, id)), outcome)
                    acknowledged += 1
            self.assertLessEqual(set(log), {(room, id) for room, id, _ in results})
            print(f"({acknowledged} of {len(results)} acknowledged)")
            self.assertGreater(acknowledged, 100)
            gateway.close()
            for store in stores:
                self.assertEqual(store.stop(), 0)
                self.assertNotIn("Sanitizer", store.log())
        finally:
            cluster.remove()


class Network(unittest.TestCase):
    """PostgreSQL over TCP by name, several hosts; the bus over TCP with keys."""

    @classmethod
    def setUpClass(cls):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            cls.port = probe.getsockname()[1]
        cls.cluster = Postgres(cls.port)
        cls.name = cls.cluster.database().split("/")[3].split("?")[0]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.remove()

    def works(self, url):
        store = Store(url, scratch).start()
        gateway = Gateway(store)
        self.assertEqual(gateway.create("x", "network")["body"], "x")
        gateway.close()
        self.assertEqual(store.stop(), 0)
        return store.log()

    def test_a_host_name(self):
        self.works(f"postgresql://parley@localhost:{self.port}/{self.name}")

    def test_several_hosts(self):
        down = "127.0.0.1:1"
        self.works(f"postgresql://parley@{down},localhost:{self.port}/{self.name}?target_session_attrs=read-write")
        self.works(f"postgresql://parley@localhost:{self.port},{down}/{self.name}?target_session_attrs=read-write")
        self.works(f"host=no-such-host.invalid,localhost port={self.port} user=parley dbname={self.name}")
        self.works(f"host={self.cluster.dir},localhost port={self.port} user=parley dbname={self.name}")

    def test_a_host_that_swallows_packets(self):
        with socket.socket() as hole:  # accepts and says nothing
            hole.bind(("127.0.0.1", 0))
            hole.listen(50)
            self.works(f"postgresql://parley@127.0.0.1:{hole.getsockname()[1]},localhost:{self.port}/{self.name}")

    def test_an_unknown_name_is_said(self):
        store = Store("postgresql://parley@no-such-host.invalid/x", scratch).start(wait=False)
        end = time.time() + 10
        while "cannot resolve the host name" not in store.log() and time.time() < end:
            time.sleep(0.05)
        self.assertIn('cannot resolve the host name \\"no-such-host.invalid\\"', store.log())
        self.assertEqual(store.stop(), 0)

    def test_curve(self):
        store = Store(f"postgresql://parley@localhost:{self.port}/{self.name}", scratch)
        bus, events = Store.free_port(), Store.free_port()
        store.bus, store.events = f"tcp://127.0.0.1:{bus}", f"tcp://127.0.0.1:{events}"
        store.start()
        gateway = Gateway(store, f"{store.keys}/gateway")
        self.assertEqual(gateway.hello()["name"], "store")
        gateway.subscribe("room/curve")
        self.assertEqual(gateway.event_of_kind("head")["seq"], 0)
        stranger = Gateway(store)
        with self.assertRaises(NoAnswer):
            stranger.hello(0.5)
        subprocess.run([store.binary, "keygen", f"{store.dir}/other"], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(f"{store.keys}/gateway/services/store.pub", f"{store.dir}/other/gateway/services/store.pub")
        impostor = Gateway(store, f"{store.dir}/other/gateway")
        with self.assertRaises(NoAnswer):
            impostor.hello(0.5)
        for each in (gateway, stranger, impostor):
            each.close()
        self.assertEqual(store.stop(), 0)

    def test_plain_tcp_only_when_said(self):
        store = Store(f"postgresql://parley@localhost:{self.port}/{self.name}", scratch, args=["--plain-tcp"])
        bus, events = Store.free_port(), Store.free_port()
        store.bus, store.events = f"tcp://127.0.0.1:{bus}", f"tcp://127.0.0.1:{events}"
        store.start()
        gateway = Gateway(store)
        self.assertEqual(gateway.hello()["name"], "store")
        gateway.close()
        self.assertEqual(store.stop(), 0)


class Operating(unittest.TestCase):
    def run_store(self, *args, env=None):
        return subprocess.run([find_store(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20,
                              env={**os.environ, **(env or {})})

    def test_wrong_options(self):
        keys = f"{scratch}/operating"
        self.assertEqual(self.run_store("keygen", keys).returncode, 0)
        good = ["--database-url", "postgresql://x", "--keys", f"{keys}/store", "--admin", "127.0.0.1:18599"]
        for args, text in ((["--nonsense"], "--nonsense"), ([], "--database-url"), (["--database-url", "postgresql://u:geheim@h:port:x/%zz", *good[2:]], "--database-url"),
                           (["--database-url", "nonsense", *good[2:]], "--database-url"), (["--database-url", "postgresql://x"], "--keys"), (["fly"], "command"),
                           ([*good, "--readers", "0"], "--readers"), ([*good, "--bus", "nonsense"], "nonsense"), ([*good, "--log-level", "loud"], "--log-level"),
                           ([*good[:2], "--keys", "/nonexistent", "--bus", f"ipc://{scratch}/b", "--events", f"ipc://{scratch}/e"], "/nonexistent"), (["keygen"], "keygen")):
            result = self.run_store(*args)
            self.assertEqual(result.returncode, 2, (args, result.stderr))
            line = [l for l in result.stderr.splitlines() if not l.startswith("{")]
            self.assertEqual(len(line), 1, result.stderr)
            self.assertIn(text, line[0])
            self.assertNotIn("geheim", result.stderr)

    def test_help_and_version(self):
        self.assertIn("--database-url", self.run_store("--help").stdout)
        self.assertRegex(self.run_store("--version").stdout, r"^parley-store \d")

    def test_newer_database_is_refused(self):
        url = postgres.database()
        store = Store(url, scratch).start()
        self.assertEqual(store.stop(), 0)
        postgres.sql("INSERT INTO schema_migrations (version, name, checksum) VALUES (999, 'future', 'x')", url)
        store.start(wait=False)
        self.assertEqual(store.process.wait(10), 1)
        self.assertIn("the database has schema version 999, but this program knows only", store.log())
        migrate = store.command("migrate")
        self.assertEqual(migrate.returncode, 1)
        self.assertIn("999", migrate.stderr)
        postgres.sql("DELETE FROM schema_migrations WHERE version = 999; UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", url)
        self.assertIn("was changed", store.command("migrate").stderr)

    def test_migrate(self):
        url = postgres.database()
        store = Store(url, scratch)
        for _ in range(2):
            result = store.command("migrate")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, "^schema version [0-9]+, epoch [0-9a-f]{16}$")

    def test_stores_that_start_together_migrate_once(self):
        url = postgres.database()
        stores = [Store(url, scratch).start(wait=False) for _ in range(3)]
        for store in stores:
            store.wait_ready()
        self.assertEqual(len({json.dumps(Gateway(store).hello()["epoch"]) for store in stores}), 1)
        for store in stores:
            self.assertEqual(store.stop(), 0)

    def test_a_new_epoch_expires_cursors_at_once(self):
        url = postgres.database()
        store = Store(url, scratch).start()
        gateway = Gateway(store)
        made = gateway.create("x")
        result = store.command("epoch", "new")
        self.assertEqual(result.returncode, 0, result.stderr)
        end = time.time() + 5
        while gateway.hello().get("epoch") not in result.stdout.replace(":", " ").split() and time.time() < end:
            time.sleep(0.02)
        with self.assertRaises(Failure) as caught:
            gateway.page(after=made["cursor"])
        self.assertEqual(caught.exception.code, "CURSOR_EXPIRED")
        self.assertNotEqual(gateway.page()[0]["cursor"], made["cursor"])
        gateway.close()
        self.assertEqual(store.stop(), 0)

    def test_another_cluster_is_another_epoch(self):
        url = postgres.database()
        store = Store(url, scratch).start()
        before = Gateway(store).hello()["epoch"]
        store.stop()
        store.start()
        self.assertEqual(Gateway(store).hello()["epoch"], before)
        store.stop()
        postgres.sql("UPDATE store_epoch SET system_identifier = 1", url)
        store.start()
        self.assertNotEqual(Gateway(store).hello()["epoch"], before)
        store.stop()

    def test_healthcheck(self):
        store = Store(postgres.database(), scratch)
        self.assertEqual(store.command("healthcheck").returncode, 1)
        store.start()
        self.assertEqual(store.command("healthcheck").returncode, 0)
        store.stop()

    def test_a_wrong_password_is_said_once(self):
        url = postgres.database()
        postgres.sql("CREATE ROLE locked LOGIN PASSWORD 'richtig'", url)
        with open(f"{postgres.dir}/data/pg_hba.conf") as file:
            hba = file.read()
        with open(f"{postgres.dir}/data/pg_hba.conf", "w") as file:
            file.write("local all locked scram-sha-256\n" + hba)
        postgres.sql("SELECT pg_reload_conf()")
        store = Store(url.replace("parley@", "locked:falsch@"), scratch).start(wait=False)
        time.sleep(1.5)
        self.assertIsNone(store.process.poll())
        self.assertEqual(store.log().count("password authentication failed"), 1)
        self.assertNotIn("falsch", store.log())
        self.assertEqual(store.stop(), 0)


def base64url(text):
    import base64
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unbase64url(raw):
    import base64
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    result = program.result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(1 if failed else 0)
