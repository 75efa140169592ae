#!/usr/bin/env python3
"""What the store wants of PostgreSQL: few rights, and no alarm when it is restarted on purpose."""
import json, signal, subprocess, tempfile, threading, time, unittest
from bus import REPLAY, Failure, Gateway, Store, record, share_postgres, uuid7

setUpModule, tearDownModule = share_postgres(globals())


class Rights(unittest.TestCase):
    def test_no_right_to_create_once_the_schema_is_there(self):
        url = postgres.database()
        owner = Store(url, tempfile.mkdtemp(dir=scratch))
        self.assertEqual(owner.command("migrate").returncode, 0)
        postgres.sql("CREATE ROLE worker LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker;"
                     " GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker; REVOKE CREATE ON SCHEMA public FROM PUBLIC", url)
        worker = Store(url.replace("parley@", "worker@"), tempfile.mkdtemp(dir=scratch)).start()
        gateway = Gateway(worker)
        self.assertEqual(gateway.create("hello")["body"], "hello")
        self.assertTrue(gateway.call("Mutation.signUp", {"handle": "ada", "password": "correct horse 1"}, identity=None)["token"])
        gateway.close()
        self.assertEqual(worker.stop(), 0)


class Heads(unittest.TestCase):
    def test_a_head_that_could_not_be_read_is_read_again(self):
        """Without any other activity, and without the gateway's asking."""
        url = postgres.database()
        store = Store(url, tempfile.mkdtemp(dir=scratch)).start()
        gateway = Gateway(store)
        gateway.create("hello", "quiet")
        # Who waits for the lock finds no table behind it.
        away = threading.Thread(target=postgres.sql, args=("BEGIN; LOCK TABLE rooms; ALTER TABLE rooms RENAME TO gone; SELECT pg_sleep(1); COMMIT", url))
        away.start()
        while not postgres.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'rooms'::regclass", url):
            time.sleep(0.02)
        gateway.subscribe("room/quiet")
        away.join()
        while "heads could not be read" not in store.log():
            time.sleep(0.02)
        postgres.sql("ALTER TABLE gone RENAME TO rooms", url)
        self.assertEqual(gateway.event_of_kind("head", 5)["seq"], 1)
        gateway.close()
        self.assertEqual(store.stop(), 0)


class Deadlines(unittest.TestCase):
    def test_replays_of_one_statement_have_their_own(self):
        """They go out together; the database comes back when the time of one is over."""
        store = Store(postgres.database(), tempfile.mkdtemp(dir=scratch)).start()
        gateway = Gateway(store)
        gateway.create("hello", "room")
        postgres.stop("fast")
        ids, now_ms = [uuid7() for _ in range(3)], int(time.time() * 1000)
        gateway.send(*(record(REPLAY, {"stream": "room/room", "after": 0, "limit": 9}, id, deadline_ms=now_ms + after_ms)
                       for id, after_ms in zip(ids, (20000, 1000, 20000))))
        try:
            with self.assertRaises(Failure) as caught:
                gateway.wait(ids[1])
            self.assertEqual((caught.exception.code, caught.exception.extensions["outcome"]), ("UNAVAILABLE", "none"))
        finally:
            postgres.start()
        for id in (ids[0], ids[2]):
            self.assertEqual(gateway.wait(id, 15)["head"], 1)
        gateway.close()
        self.assertEqual(store.stop(), 0)


class Stop(unittest.TestCase):
    def test_a_second_sigterm_does_not_wait(self):
        """A message waits for its room's lock, and the first SIGTERM for the message."""
        url = postgres.database()
        store = Store(url, tempfile.mkdtemp(dir=scratch)).start()
        gateway = Gateway(store)
        gateway.create("hello")
        holder = subprocess.Popen(["psql", "-XAtq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            holder.stdin.write("BEGIN; SELECT 'held' FROM rooms FOR UPDATE;\n")
            holder.stdin.flush()
            self.assertEqual(holder.stdout.readline().strip(), "held")
            call = gateway.post("Mutation.createMessage", {"body": "x"}, timeout_s=20)
            while store.metrics()["parley_store_calls_in_flight"] < 1:
                time.sleep(0.01)
            began = time.time()
            for count in (1, 2):
                store.process.send_signal(signal.SIGTERM)
                while count == 1 and "shutting down" not in store.log():
                    time.sleep(0.01)
            self.assertEqual(store.process.wait(10), 0, store.log())
            self.assertLess(time.time() - began, 2)
            with self.assertRaises(Failure) as caught:
                gateway.wait(call)
            self.assertEqual((caught.exception.code, caught.exception.extensions["outcome"]), ("UNAVAILABLE", "unknown"))
        finally:
            holder.communicate("ROLLBACK;\n")
        gateway.close()

    def away(self, store):
        lines = [json.loads(line) for line in store.log().splitlines() if line.startswith("{")]
        return [(line["level"], line["reason"]) for line in lines if line["message"] == "database away"]

    def test_a_restart_is_no_warning_and_an_absence_is(self):
        store = Store(postgres.database(), tempfile.mkdtemp(dir=scratch)).start()
        postgres.stop("fast")
        end = time.time() + 10
        while not any(level == "warn" for level, _ in self.away(store)) and time.time() < end:
            time.sleep(0.05)
        postgres.start()
        store.wait_ready()
        self.assertEqual(store.stop(), 0)
        for level, reason in self.away(store):
            restart = "closed the connection" in reason or "shutting down" in reason or "starting up" in reason
            self.assertEqual(level, "info" if restart else "warn", reason)
        self.assertEqual({level for level, _ in self.away(store)}, {"info", "warn"})


if __name__ == "__main__":
    unittest.main()
