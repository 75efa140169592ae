#!/usr/bin/env python3
"""The store's side of the bus under attack: strangers, keys that rotate, and a gateway that is known and hostile."""
import os, random, shutil, socket, subprocess, tempfile, time, unittest
import zmq
from bus import CALL, EVENT, HEADER, HEADS, HELLO, REPLAY, Failure, Gateway, NoAnswer, Store, record, share_postgres, uuid7

setUpModule, tearDownModule = share_postgres(globals())


def until(what, condition, timeout_s=10.0):
    end = time.time() + timeout_s
    while not condition():
        if time.time() > end:
            raise AssertionError("not in time: " + what)
        time.sleep(0.02)


def keygen(store, name):
    """Keys of another gateway that knows this store."""
    dir = f"{store.dir}/{name}"
    subprocess.run([store.binary, "keygen", dir], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(f"{store.keys}/gateway/services/store.pub", f"{dir}/gateway/services/store.pub")
    return dir


class Curve(unittest.TestCase):
    def setUp(self):
        dir = tempfile.mkdtemp(dir=scratch)
        self.store = Store(postgres.database(), dir)
        self.store.bus, self.store.events = (f"tcp://127.0.0.1:{Store.free_port()}" for _ in range(2))
        self.store.start()
        self.gateway = Gateway(self.store, f"{self.store.keys}/gateway")
        self.assertEqual(self.gateway.hello()["name"], "store")

    def tearDown(self):
        self.gateway.close()
        self.assertEqual(self.store.stop(), 0)

    def refused(self, part, reasons):
        metrics = self.store.metrics()
        return sum(metrics[f'parley_bus_refused_total{{part="{part}",reason="{reason}"}}'] for reason in reasons)

    def assert_counted(self, reasons, attack):
        """One of the reasons: who sees first that the other is none of his kind hangs up."""
        parts = ("calls", "events")
        before = {part: self.refused(part, reasons) for part in parts}
        attack()
        for part in parts:
            until(f"{reasons} counted at {part}", lambda: self.refused(part, reasons) > before[part])

    def hear_nothing(self, keys):
        peer = Gateway(self.store, keys)
        peer.subscribe("room/lobby")
        with self.assertRaises(NoAnswer):
            peer.hello(0.5)
        self.assertFalse(peer.sub.poll(100))
        peer.close()

    def test_who_is_refused_is_counted(self):
        self.assert_counted(("handshake", "unfinished"), lambda: self.hear_nothing(None))  # no CURVE
        self.assert_counted(("key",), lambda: self.hear_nothing(f"{keygen(self.store, 'impostor')}/gateway"))
        mistaken = keygen(self.store, "mistaken")  # known, but it takes the store for another one
        shutil.copy(f"{self.store.keys}/gateway/gateway.key", f"{mistaken}/gateway/gateway.key")
        shutil.copy(f"{mistaken}/store/gateways/gateway.pub", f"{mistaken}/gateway/services/store.pub")
        self.assert_counted(("handshake", "unfinished"), lambda: self.hear_nothing(f"{mistaken}/gateway"))

        def say(text):
            for endpoint in (self.store.bus, self.store.events):
                with socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))) as peer:
                    peer.sendall(text)
                    try:
                        while text and (chunk := peer.recv(4096)):
                            self.assertNotIn(b"PRL", chunk)
                    except ConnectionResetError:
                        pass
        self.assert_counted(("garbage",), lambda: say(b"GET / HTTP/1.1\r\nHost: store\r\nUser-Agent: somebody or other\r\n\r\n" + bytes(64)))
        self.assert_counted(("unfinished",), lambda: say(b""))
        self.assertEqual(self.gateway.create("still there")["body"], "still there")
        self.assertIn("refused on the bus", self.store.log())

    def test_gateway_keys_rotate(self):
        known = f"{self.store.keys}/store/gateways"
        fresh_keys = keygen(self.store, "fresh")
        self.hear_nothing(f"{fresh_keys}/gateway")
        shutil.copy(f"{fresh_keys}/store/gateways/gateway.pub", f"{known}/gateway-2.pub")
        fresh = Gateway(self.store, f"{fresh_keys}/gateway")
        self.assertEqual(fresh.hello()["name"], "store")
        self.assertEqual(self.gateway.hello()["name"], "store")  # both are known now
        os.remove(f"{known}/gateway.pub")
        self.hear_nothing(f"{self.store.keys}/gateway")
        self.assertEqual(fresh.create("the new key works")["body"], "the new key works")
        fresh.close()


class Hostile(unittest.TestCase):
    """A peer that got past CURVE, or sits on the same machine: whatever it sends, others are served and memory stays."""

    @classmethod
    def setUpClass(cls):
        cls.store = Store(postgres.database(), scratch).start()

    @classmethod
    def tearDownClass(cls):
        assert cls.store.stop() == 0, cls.store.log()

    def setUp(self):
        self.gateway, self.hostile = Gateway(self.store), Gateway(self.store)

    def tearDown(self):
        self.assertEqual(self.gateway.create("still there", "after")["body"], "still there")
        self.gateway.close()
        self.hostile.close()

    def resident(self):
        return self.store.metrics()["process_resident_memory_bytes"]

    def test_mangled_frames(self):
        rng = random.Random(5)
        good = [
            record(HELLO, {"gateway": "x", "versions": [1]}),
            record(CALL, {"field": "Query.getMessages", "args": {"first": 5}, "identity": {"handle": "eve", "sub": "1", "provider": "user-pool"}}),
            record(CALL, {"field": "Mutation.signIn", "args": {"handle": 7, "password": {}}, "client": ["10.0.0.1"]}),
            record(REPLAY, {"stream": "room/lobby", "after": 0, "limit": 1000}),
            record(HEADS, {"streams": ["room/lobby"], "settled": True}),
            record(EVENT, {"stream": "room/lobby", "seq": 1}),
        ]
        before = self.store.metrics().get("parley_bus_malformed_total", 0)
        for i in range(3000):
            frame = bytearray(rng.choice(good) if i % 3 else rng.choice(good) + rng.choice(good))
            for _ in range(rng.randint(1, 8)):
                how, at = rng.randint(0, 4), rng.randrange(len(frame) or 1)
                if how == 0 and frame:
                    frame[at] = rng.randrange(256)
                elif how == 1:
                    del frame[at:at + rng.randint(1, 40)]
                elif how == 2:
                    frame[at:at] = rng.randbytes(rng.randint(1, 40))
                elif how == 3 and len(frame) > 12:
                    frame[8:12] = rng.choice([0, 1, 2**24, 2**24 + 1, 2**31, 2**32 - 1]).to_bytes(4, "big")
                elif len(frame) > 6:
                    frame[4:6] = rng.randbytes(2)
            self.hostile.dealer.send_multipart([bytes(frame)] if i % 50 else [b"more", bytes(frame)])
        self.assertEqual(self.gateway.hello()["name"], "store")
        until("the frames to be counted", lambda: self.store.metrics()["parley_bus_malformed_total"] > before + 500)

    def test_oversized(self):
        """A record says 4 GiB, a message is beyond ZMQ_MAXMSGSIZE, a body is beyond 16 MiB: nothing of it is kept."""
        self.hostile.send(HEADER.pack(b"PRL", 1, CALL, 0, 0, 2**32 - 1, uuid7(), 0, 0))
        self.hostile.send(HEADER.pack(b"PRL", 1, CALL, 0, 0, 16 * 1024 * 1024 + 1, uuid7(), 0, 0) + bytes(16 * 1024 * 1024 + 1))
        self.assertEqual(self.hostile.hello()["name"], "store")
        before = self.resident()
        for _ in range(3):
            huge = Gateway(self.store)
            huge.send(bytes(65 * 1024 * 1024))  # ZeroMQ ends that connection
            self.assertEqual(huge.hello()["name"], "store")  # and huge makes another one
            huge.close()
        self.assertLess(self.resident(), before + 100 * 1024 * 1024)

    def test_deep_and_wide_json(self):
        for args in ("[" * 100000, '{"a":' * 100000, '{"first":' + "9" * 100000 + "}", '{"filter":"' + "\\u0000" * 100000 + '"}',
                     "{" + ",".join(f'"k{i}":1' for i in range(100000)) + "}"):
            id = uuid7()
            self.hostile.send(record(CALL, ('{"field":"Query.getMessages","identity":{"handle":"eve"},"args":' + args + "}").encode(), id, 60))
            try:
                self.hostile.wait(id, 60)
            except Failure as error:
                self.assertIn(error.code, ("INTERNAL", "BAD_USER_INPUT"))

    def test_repeated_and_reordered(self):
        """The same call over and over, in any order, from two gateways: one message."""
        calls = [record(CALL, {"field": "Mutation.createMessage", "args": {"body": f"m{i}", "room": "again"}, "identity": {"handle": "eve", "sub": "1", "provider": "user-pool", "groups": []}}, uuid7())
                 for i in range(20)]
        rng = random.Random(7)
        sent = [call for call in calls for _ in range(5)]
        rng.shuffle(sent)
        for i, call in enumerate(sent):
            (self.hostile if i % 2 else self.gateway).send(call)
        until("all messages", lambda: len(self.gateway.call("Query.getMessages", {"room": "again"})) >= 20)
        time.sleep(0.3)
        page = self.gateway.call("Query.getMessages", {"room": "again"})
        self.assertEqual(sorted(m["body"] for m in page), sorted(f"m{i}" for i in range(20)))

    def test_late(self):
        """A call whose deadline has passed is not executed."""
        for ago_s in (-0.001, -1, -3600 * 24 * 365):
            self.hostile.request(CALL, {"field": "Mutation.createMessage", "args": {"body": "late", "room": "late"}, "identity": {"handle": "eve", "sub": "1"}}, timeout_s=ago_s)
        self.hostile.send(record(CALL, {"field": "Mutation.createMessage", "args": {"body": "late", "room": "late"}, "identity": {"handle": "eve", "sub": "1"}}, deadline_ms=1))
        self.assertEqual(self.hostile.hello()["name"], "store")
        self.assertEqual(self.gateway.call("Query.getMessages", {"room": "late"}), [])

    def test_answers_that_nobody_reads(self):
        """A gateway asks for much, reads nothing and goes: its answers are not kept."""
        body = "x" * 60000
        for _ in range(40):
            self.gateway.create(body, "large")
        before = self.resident()
        deaf = Gateway(self.store)
        deaf.dealer.rcvhwm = 1
        for _ in range(20):
            deaf.request(CALL, {"field": "Query.getMessages", "args": {"room": "large", "last": 40}, "identity": {"handle": "eve", "sub": "1"}})
        time.sleep(1)
        self.assertEqual(self.gateway.hello()["name"], "store")
        deaf.close()
        until("all calls to be done", lambda: self.store.metrics()["parley_store_calls_in_flight"] == 0, 60)
        until("memory to be bounded", lambda: self.resident() < before + 200 * 1024 * 1024)

    def test_topics_of_strangers(self):
        """Subscriptions to what is no stream, and to very many of them."""
        self.hostile.sub.setsockopt(zmq.SUBSCRIBE, b"")
        self.hostile.sub.setsockopt(zmq.SUBSCRIBE, b"\0")
        self.hostile.sub.setsockopt(zmq.SUBSCRIBE, b"room/" + b"\xff" * 500 + b"\0")
        self.hostile.sub.setsockopt(zmq.SUBSCRIBE, b"x" * 100000)
        for i in range(5000):
            self.hostile.sub.setsockopt(zmq.SUBSCRIBE, f"room/none{i}".encode() + b"\0")
        self.gateway.subscribe("room/quiet")
        self.assertEqual(self.gateway.event_of_kind("head", 10)["stream"], "room/quiet")


if __name__ == "__main__":
    unittest.main()
