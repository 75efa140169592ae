#!/usr/bin/python3
"""AUTH (proto/bus.md 4.5): what the store tells gateways of sessions and API keys, from the log of changes on."""
import base64, hashlib, json, threading, time, unittest, uuid
from bus import Gateway, Store, StoreTest, claims


def session_of(answer):
    told = claims(answer["token"])
    return told["session"], told["sub"]


class AuthChangesTest(StoreTest):
    def auth(self, known=None, wait_ms=0, gateway=None):
        known = known or {}
        return (gateway or self.gateway).call("AUTH", {"epoch": known.get("epoch"), "after": known.get("seq"), "waitMs": wait_ms}, identity=None)

    def sign_up(self):
        return self.gateway.call("Mutation.signUp", {"handle": "u" + uuid.uuid4().hex[:12], "password": "passw0rd"}, identity=None)

    def sql(self, text):
        return self.postgres.sql(text, self.url)

    def sessions(self, answer):
        return [change["session"] for change in answer.get("changes", []) if "session" in change]

    def until_it_waits(self):
        """Until the store has an AUTH that it has not answered."""
        end = time.time() + 5
        while not self.store.metrics()["parley_store_calls_in_flight"]:
            self.assertLess(time.time(), end)
            time.sleep(0.01)

    def test_manifest(self):
        self.assertIs(self.gateway.hello()["auth"], True)

    def test_reset_and_nothing(self):
        first = self.auth()
        self.assertTrue(first["reset"])
        self.assertFalse(first["more"])
        again = self.auth(first)
        self.assertEqual((again["epoch"], again["seq"]), (first["epoch"], first["seq"]))
        self.assertNotIn("changes", again)
        for other in ({"epoch": "0" * 16, "seq": first["seq"]}, {"epoch": first["epoch"], "seq": first["seq"] + 1}):
            self.assertTrue(self.auth(other)["reset"])

    def test_every_way_to_end_a_session(self):
        ways = {
            "statement": "UPDATE sessions SET ended_at = now(), ended_by = 'test' WHERE id = '{session}'",
            "account": "SELECT account_end_sessions('{sub}', 'test')",
            "deletion": "DELETE FROM accounts WHERE id = '{sub}'",
        }
        for name, statement in ways.items():
            with self.subTest(name):
                known = self.auth()
                session, sub = session_of(self.sign_up())
                self.sql(statement.format(session=session, sub=sub))
                answer = self.auth(known, 5000)
                self.assertFalse(answer["reset"])
                self.assertEqual(self.sessions(answer), [session])
                left_s = answer["changes"][0]["until"] / 1000 - time.time()
                self.assertTrue(3600 < left_s < 4200, left_s)
                self.assertEqual(self.sessions(self.auth(answer)), [])
                self.assertIn(session, self.sessions(self.auth()))

    def test_what_no_token_needs_is_not_told(self):
        known = self.auth()
        session, sub = session_of(self.sign_up())
        self.sql(f"UPDATE sessions SET refreshed_at = now() - interval '2 hours' WHERE id = '{session}'")
        self.sql(f"UPDATE sessions SET ended_at = now() WHERE id = '{session}'")
        self.assertNotIn("changes", self.auth(known))
        other, _ = session_of(self.sign_up())
        self.sql(f"UPDATE sessions SET ended_at = now() WHERE id = '{other}'")
        self.sql(f"DELETE FROM sessions WHERE id = '{other}'")  # ended already: told once
        self.assertEqual(self.sessions(self.auth(known)), [other])

    def test_held_until_something_changes(self):
        known = self.auth()
        session, _ = session_of(self.sign_up())
        at = {}

        def end():
            time.sleep(0.5)
            at["ended"] = time.time()
            self.sql(f"UPDATE sessions SET ended_at = now() WHERE id = '{session}'")

        thread = threading.Thread(target=end)
        thread.start()
        answer = self.auth(known, 8000)
        took = time.time() - at["ended"]
        thread.join()
        self.assertEqual(self.sessions(answer), [session])
        self.assertLess(took, 1.5)

    def test_held_for_as_long_as_asked(self):
        known, began = self.auth(), time.time()
        self.assertNotIn("changes", self.auth(known, 700))
        self.assertTrue(0.6 < time.time() - began < 3, time.time() - began)

    def test_an_idle_store_asks_nothing(self):
        spoke = lambda: self.sql("SELECT max(query_start) FROM pg_stat_activity"
                                 " WHERE application_name LIKE 'parley-store%' AND datname = current_database()")
        known = self.auth()
        before = spoke()
        self.assertNotIn("changes", self.auth(known, 3000))
        self.assertEqual(spoke(), before)

    def test_what_changes_while_nobody_listens(self):
        """The connection that listens is cut, and something changes before the next one stands."""
        for _ in range(5):
            session, _ = session_of(self.sign_up())
            known = self.auth()
            id = self.gateway.post("AUTH", {"epoch": known["epoch"], "after": known["seq"], "waitMs": 8000}, identity=None)
            self.until_it_waits()
            self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'parley-store accounts'"
                     f" AND datname = current_database(); UPDATE sessions SET ended_at = now() WHERE id = '{session}'")
            ended = time.time()
            self.assertEqual(self.sessions(self.gateway.wait(id)), [session])
            self.assertLess(time.time() - ended, 2)

    def test_many_in_parts(self):
        known = self.auth()
        self.sql("INSERT INTO ended_sessions SELECT auth_next_seq(), gen_random_uuid(), now() + interval '1 hour'"
                 " FROM generate_series(1, 6000)")
        first = self.auth(known)
        self.assertTrue(first["more"])
        self.assertEqual(len(first["changes"]), 5000)
        second = self.auth(first)
        self.assertFalse(second["more"])
        self.assertEqual(len(second["changes"]), 1000)
        self.assertFalse(set(self.sessions(first)) & set(self.sessions(second)))
        self.sql("DELETE FROM ended_sessions")

    def test_keys(self):
        known = self.auth()
        made = json.loads(self.store.command("apikey", "create", "--name", "Robot", "--rights", "write", "--json").stdout)
        answer = self.auth(known)
        change, = answer["changes"]
        hashed = base64.urlsafe_b64encode(hashlib.sha256(made["key"].encode()).digest()).rstrip(b"=").decode()
        self.assertEqual(change, {"key": made["id"], "name": "Robot", "hash": hashed, "rights": "write"})
        self.store.command("apikey", "revoke", "robot")
        self.assertEqual(self.auth(answer)["changes"], [{"revoked": made["id"]}])

    def test_a_sign_in_under_way_does_not_slip_through(self):
        """A session that begins while the account's sessions are ended is ended too, or comes after."""
        session, sub = session_of(self.sign_up())
        for _ in range(8):
            threads = [threading.Thread(target=self.sql, args=(text,)) for text in (
                f"WITH a AS (SELECT id FROM accounts WHERE id = '{sub}' AND disabled_at IS NULL FOR SHARE)"
                " INSERT INTO sessions (id, account_id, client_id, token_hash, expires_at)"
                " SELECT gen_random_uuid(), a.id, 'c', '', now() + interval '1 day' FROM a",
                f"WITH a AS (UPDATE accounts SET disabled_at = now() WHERE id = '{sub}' RETURNING id)"
                " SELECT account_end_sessions(id, 'test') FROM a")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(self.sql(f"SELECT count(*) FROM sessions WHERE account_id = '{sub}' AND ended_at IS NULL").strip(), "0")
            self.sql(f"UPDATE accounts SET disabled_at = NULL WHERE id = '{sub}'")

    def test_a_store_that_stops_lets_go(self):
        store = Store(self.url, self.dir).start()
        gateway = Gateway(store)
        try:
            known = self.auth(gateway=gateway)
            id = gateway.post("AUTH", {"epoch": known["epoch"], "after": known["seq"], "waitMs": 10000}, identity=None)
            time.sleep(0.5)
            began = time.time()
            self.assertEqual(store.stop(), 0, store.log())
            self.assertLess(time.time() - began, 3)
            self.assertEqual(gateway.wait(id)["seq"], known["seq"])
        finally:
            gateway.close()


if __name__ == "__main__":
    unittest.main()
