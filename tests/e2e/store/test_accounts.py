#!/usr/bin/python3
"""Accounts against a real store and a real PostgreSQL: sign-up, sign-in, refresh rotation, sign-out, shared keys."""
import base64, json, subprocess, tempfile, threading, time, unittest, uuid
from bus import Failure, Gateway, Store, StoreTest, claims

PASSWORD = "passw0rd"
SOMEBODY = object()


def identity(session):
    """What a gateway makes of the access token."""
    c = claims(session["token"])
    return {"handle": c["username"], "sub": c["sub"], "provider": "user-pool", "groups": [],
            "claims": {"jti": c["jti"], "session": c["session"]}}


class AccountsTest(StoreTest):
    # ---- helpers ----

    def public(self, field, gateway=None, **args):
        return (gateway or self.gateway).call("Mutation." + field, args, identity=None)

    def sign_up(self, handle=SOMEBODY, password=PASSWORD, **more):
        return self.public("signUp", handle="u" + uuid.uuid4().hex[:12] if handle is SOMEBODY else handle, password=password, **more)

    def refresh(self, token, gateway=None):
        return self.public("refreshSession", gateway, refreshToken=token)

    def refused(self, code, fn, *args, **more):
        with self.assertRaises(Failure) as caught:
            fn(*args, **more)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception

    def sql(self, text):
        return self.postgres.sql(text, self.url)

    def age(self, session, seconds):
        """As if the session's last refresh had been so long ago."""
        id = claims(session["token"])["session"]
        self.sql(f"UPDATE sessions SET previous_until = previous_until - interval '{seconds} s' WHERE id = '{id}'")

    # ---- sign-up ----

    def test_sign_up(self):
        before = time.time()
        session = self.sign_up("Ann", email="ann@example.com")
        self.assertEqual(set(session), {"token", "refreshToken", "expiresAt", "handle"})
        self.assertEqual(session["handle"], "Ann")
        self.assertRegex(session["expiresAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        header, c = claims(session["token"], 0), claims(session["token"])
        self.assertEqual((header["alg"], header["typ"]), ("ES256", "JWT"))
        self.assertEqual({k: c[k] for k in ("iss", "username", "token_use", "client_id")},
                         {"iss": "http://localhost:8080/local-1_chat", "username": "Ann", "token_use": "access",
                          "client_id": "chatclient"})
        self.assertEqual(c["exp"] - c["iat"], 3600)
        self.assertLess(abs(c["iat"] - before), 5)
        self.assertLess(abs(c["auth_time"] - before), 5)
        me = self.gateway.call("Query.me", identity=identity(session))
        self.assertEqual((me["handle"], me["email"]), ("Ann", "ann@example.com"))
        self.assertRegex(me["createdAt"], r"^\d{4}-\d\d-\d\dT")
        row = self.sql("SELECT password_hash FROM accounts WHERE handle = 'Ann'")
        self.assertTrue(row.startswith("$argon2id$"), row)

    def test_handles_are_unique_whatever_the_case(self):
        for first, *others in (("Zoë", "ZOË", "zoë", "Zoe\u0308", "ZOE\u0308"), ("K1ng", "\u212a1ng", "ｋ１ｎｇ"),
                               ("ЖУК", "жук"), ("H", "\u210c")):
            self.sign_up(first)
            for other in others:
                failure = self.refused("CONFLICT", self.sign_up, other)
                self.assertEqual(failure.extensions["argument"], "handle")
            for other in others:
                self.assertEqual(self.public("signIn", handle=other, password=PASSWORD)["handle"], first)
        self.sign_up("Жуки")

    def test_two_at_once_get_one_account(self):
        ids = [self.gateway.post("Mutation.signUp", {"handle": "Race", "password": PASSWORD}, identity=None)
               for _ in range(6)]
        outcomes = []
        for id in ids:
            try:
                outcomes.append(self.gateway.wait(id)["handle"])
            except Failure as failure:
                outcomes.append(failure.code)
        self.assertEqual(sorted(outcomes), ["CONFLICT"] * 5 + ["Race"])

    def test_rules_are_named(self):
        for argument, rule, args in (
                ("handle", "1 to 64", {"handle": ""}),
                ("handle", "1 to 64", {"handle": "x" * 65}),
                ("handle", "begin or end", {"handle": " a"}),
                ("handle", "invisible", {"handle": "a\u200b"}),
                ("handle", "reserved", {"handle": "APIKEY"}),
                ("password", "at least 8", {"password": "a1"}),
                ("password", "a digit", {"password": "abcdefgh"}),
                ("password", "a lower-case letter", {"password": "ABCDEFG1"}),
                ("password", "256 bytes", {"password": "a1" * 200}),
                ("email", "email", {"email": "nobody"}),
                ("handle", "string", {"handle": None}),
                ("password", "string", {"password": 7})):
            with self.subTest(args=args):
                failure = self.refused("BAD_USER_INPUT", self.sign_up,
                                       **{"handle": "u" + uuid.uuid4().hex[:8], **args})
                self.assertEqual(failure.extensions["argument"], argument)
                self.assertIn(rule, failure.message)

    # ---- sign-in ----

    def test_sign_in(self):
        self.sign_up("Bea", "s3cretpassword")
        session = self.public("signIn", handle="bEA", password="s3cretpassword")
        self.assertEqual(session["handle"], "Bea")
        wrong = self.refused("UNAUTHENTICATED", self.public, "signIn", handle="Bea", password="s3cretpassworD")
        unknown = self.refused("UNAUTHENTICATED", self.public, "signIn", handle="Nobody", password="s3cretpassword")
        strange = self.refused("UNAUTHENTICATED", self.public, "signIn", handle="\u0000" * 300, password="x")
        self.assertEqual({str(wrong)}, {str(unknown), str(strange)})
        self.refused("BAD_USER_INPUT", self.public, "signIn", handle="Bea", password="x" * 257)

    def test_unknown_handles_take_as_long(self):
        self.sign_up("Timing")

        def seconds(handle, i):
            args = {"handle": handle, "password": "wr0ngpassword"}
            start = time.perf_counter()
            self.refused("UNAUTHENTICATED", self.gateway.call, "Mutation.signIn", args, identity=None, client=f"10.0.0.{i}")
            return time.perf_counter() - start
        # In turns, and the shortest of each: what else the machine does meanwhile comes to both.
        known, unknown = (min(times) for times in zip(*[[seconds(handle, i) for handle in ("Timing", "NoSuchOne")] for i in range(15)]))
        self.assertGreater(unknown, 0.5 * known)
        self.assertLess(unknown, 2 * known)

    def test_disabled_account(self):
        session = self.sign_up("Dis")
        self.sql("UPDATE accounts SET disabled_at = now() WHERE handle = 'Dis'")
        self.refused("UNAUTHENTICATED", self.public, "signIn", handle="Dis", password=PASSWORD)
        self.refused("UNAUTHENTICATED", self.refresh, session["refreshToken"])
        self.sql("UPDATE accounts SET disabled_at = NULL WHERE handle = 'Dis'")
        self.refresh(session["refreshToken"])

    # ---- refresh ----

    def test_rotation(self):
        first = self.sign_up()
        second = self.refresh(first["refreshToken"])
        self.assertEqual(second["handle"], first["handle"])
        self.assertNotEqual(second["refreshToken"], first["refreshToken"])
        a, b = claims(first["token"]), claims(second["token"])
        for same in ("sub", "session", "auth_time", "username", "iss"):
            self.assertEqual(a[same], b[same])
        self.assertNotEqual(a["jti"], b["jti"])
        third = self.refresh(second["refreshToken"])
        self.assertEqual(len({first["refreshToken"], second["refreshToken"], third["refreshToken"]}), 3)

    def test_lost_answer_signs_nobody_out(self):
        first = self.sign_up()
        lost = self.refresh(first["refreshToken"])
        again = [self.refresh(first["refreshToken"]) for _ in range(3)]
        # All get the same successor, so that two windows of one browser agree too.
        self.assertEqual({s["refreshToken"] for s in again}, {lost["refreshToken"]})
        self.assertTrue(all(claims(s["token"])["session"] == claims(first["token"])["session"] for s in again))
        self.refresh(self.refresh(lost["refreshToken"])["refreshToken"])

    def test_previous_token_ends_after_its_minute(self):
        first = self.sign_up()
        second = self.refresh(first["refreshToken"])
        self.age(first, 58)
        self.refresh(first["refreshToken"])
        self.age(first, 3)
        self.refused("UNAUTHENTICATED", self.refresh, first["refreshToken"])
        self.refused("UNAUTHENTICATED", self.refresh, second["refreshToken"])  # the family ended with it

    def test_reuse_ends_the_family(self):
        first = self.sign_up()
        other = self.public("signIn", handle=first["handle"], password=PASSWORD)
        second = self.refresh(first["refreshToken"])
        third = self.refresh(second["refreshToken"])
        self.refused("UNAUTHENTICATED", self.refresh, first["refreshToken"])
        self.refused("UNAUTHENTICATED", self.refresh, third["refreshToken"])
        self.refused("UNAUTHENTICATED", self.refresh, second["refreshToken"])
        self.refresh(other["refreshToken"])  # another session of the same account lives on
        self.assertIn("used again", self.store.log())

    def test_made_up_tokens_end_nothing(self):
        session = self.sign_up()
        good = session["refreshToken"]
        raw = bytearray(base64.urlsafe_b64decode(good + "="))
        raw[20] ^= 1  # the right session with another secret
        forged = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
        for token in ("", "x", "a" * 87, good[:-1], good + "A", forged, session["token"], "\u0000", "é" * 87):
            self.refused("UNAUTHENTICATED", self.refresh, token)
        self.refused("BAD_USER_INPUT", self.refresh, None)
        self.refresh(good)

    def test_expiry(self):
        session = self.sign_up()
        id = claims(session["token"])["session"]
        days = float(self.sql(f"SELECT extract(epoch FROM expires_at - created_at) / 86400 FROM sessions WHERE id = '{id}'"))
        self.assertAlmostEqual(days, 30, places=3)
        self.sql(f"UPDATE sessions SET expires_at = now() + interval '1 s' WHERE id = '{id}'")
        second = self.refresh(session["refreshToken"])  # a new token has its own thirty days
        days = float(self.sql(f"SELECT extract(epoch FROM expires_at - now()) / 86400 FROM sessions WHERE id = '{id}'"))
        self.assertAlmostEqual(days, 30, places=3)
        self.sql(f"UPDATE sessions SET expires_at = now() WHERE id = '{id}'")
        self.refused("UNAUTHENTICATED", self.refresh, second["refreshToken"])

    def test_tokens_are_stored_hashed(self):
        session = self.sign_up()
        dump = self.sql("SELECT s::text FROM sessions s")
        raw = base64.urlsafe_b64decode(session["refreshToken"] + "=")
        self.assertNotIn(raw[17:49].hex(), dump)
        self.refresh(session["refreshToken"])
        log = self.store.log()
        for secret in (session["refreshToken"], session["token"], PASSWORD):
            self.assertNotIn(secret, log)

    # ---- sign-out ----

    def test_sign_out(self):
        session = self.sign_up()
        other = self.public("signIn", handle=session["handle"], password=PASSWORD)
        session = self.refresh(session["refreshToken"])
        self.assertIs(self.gateway.call("Mutation.signOut", identity=identity(session)), True)
        self.refused("UNAUTHENTICATED", self.refresh, session["refreshToken"])
        self.assertIs(self.gateway.call("Mutation.signOut", identity=identity(session)), True)
        self.refresh(other["refreshToken"])
        self.gateway.call("Query.me", identity=identity(session))

    def test_sign_out_of_others(self):
        victim, thief = self.sign_up(), self.sign_up()
        forged = identity(thief)
        forged["claims"]["session"] = claims(victim["token"])["session"]
        self.gateway.call("Mutation.signOut", identity=forged)
        self.refresh(victim["refreshToken"])
        key = {"handle": "apikey", "sub": "apikey", "provider": "api-key", "groups": []}
        self.assertIs(self.gateway.call("Mutation.signOut", identity=key), False)
        self.refused("NOT_FOUND", self.gateway.call, "Query.me", identity=key)

    # ---- keys and several stores ----

    def test_manifest_and_jwks(self):
        manifest = self.gateway.hello()
        issuer = manifest["issuer"]
        self.assertEqual((issuer["iss"], issuer["clientId"]), ("http://localhost:8080/local-1_chat", "chatclient"))
        [key] = issuer["jwks"]["keys"]
        self.assertEqual({k: key[k] for k in ("kty", "crv", "alg", "use")},
                         {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"})
        self.assertNotIn("d", key)
        self.assertEqual(claims(self.sign_up()["token"], 0)["kid"], key["kid"])
        for path in ("/.well-known/jwks.json", "/local-1_chat/.well-known/jwks.json"):
            self.assertIn({"method": "GET", "path": path}, manifest["routes"])
            answer = self.gateway.call("HTTP", {"method": "GET", "path": path, "query": "", "headers": {}, "body": ""},
                                       identity=None)
            self.assertEqual(answer["status"], 200)
            self.assertEqual(answer["headers"]["content-type"], "application/json")
            self.assertEqual(json.loads(answer["body"]), issuer["jwks"])

    def test_several_stores(self):
        """Fresh database, four stores at once: one key; sessions of one are refreshed by another."""
        url = self.postgres.database()
        stores = [Store(url, self.dir) for _ in range(4)]
        gateways = []
        # Until the lock goes nobody can read the table; then all find it empty at the same time.
        self.assertEqual(stores[0].command("migrate").returncode, 0)
        lock = threading.Thread(target=self.postgres.sql, args=(
            "BEGIN; LOCK TABLE signing_keys; SELECT pg_sleep(3); COMMIT", url))
        lock.start()
        try:
            while self.postgres.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'", url) == "0":
                time.sleep(0.01)
            for store in stores:
                store.start(wait=False)
            for store in stores:
                store.wait_ready()
            lock.join()
            gateways = [Gateway(store) for store in stores]
            kids = {g.hello()["issuer"]["jwks"]["keys"][0]["kid"] for g in gateways}
            self.assertEqual(len(kids), 1)
            self.assertEqual(self.postgres.sql("SELECT count(*) FROM signing_keys", url), "1")
            session = self.public("signUp", gateways[0], handle="Multi", password=PASSWORD)
            for round in range(10):
                # The same token at all stores at once: one rotates, the others find what it left.
                ids = [g.post("Mutation.refreshSession", {"refreshToken": session["refreshToken"]}, identity=None)
                       for g in gateways]
                answers = [g.wait(id) for g, id in zip(gateways, ids)]
                self.assertEqual(len({a["refreshToken"] for a in answers}), 1)
                session = answers[round % 4]
        finally:
            for gateway in gateways:
                gateway.close()
            for store in stores:
                self.assertEqual(store.stop(), 0, store.log())

    def test_restart_keeps_key_and_sessions(self):
        url = self.postgres.database()
        store = Store(url, self.dir).start()
        gateway = Gateway(store)
        try:
            session = self.public("signUp", gateway, handle="Stay", password=PASSWORD)
            kid = claims(session["token"], 0)["kid"]
            store.kill()
            store.start()
            session = self.refresh(session["refreshToken"], gateway)
            self.assertEqual(claims(session["token"], 0)["kid"], kid)
        finally:
            gateway.close()
            store.stop()

    def test_another_master_key(self):
        url = self.postgres.database()
        store = Store(url, self.dir).start()
        store.stop()
        strange = Store(url, tempfile.mkdtemp(dir=self.dir))
        strange.start(wait=False)
        try:
            end = time.time() + 10
            while "master.key does not open" not in strange.log() and time.time() < end:
                time.sleep(0.05)
            self.assertIn("master.key does not open", strange.log())
            self.assertFalse(strange.is_ready())
            time.sleep(2.5)
            self.assertEqual(strange.log().count("master.key does not open"), 1, "said once, not at each try")
            gateway = Gateway(strange)
            failure = self.refused("UNAVAILABLE", self.public, "signUp", gateway, handle="X", password=PASSWORD)
            self.assertEqual(failure.extensions["outcome"], "none")
            self.assertNotIn("issuer", gateway.hello())
            gateway.close()
        finally:
            self.assertEqual(strange.stop(), 0)
        no_key = subprocess.run([strange.binary, "--database-url", url, "--bus", strange.bus, "--events", strange.events,
                                 "--keys", self.dir + "/none", "--admin", strange.admin], capture_output=True, text=True)
        self.assertEqual(no_key.returncode, 2, no_key)
        self.assertIn("master.key", no_key.stderr)

    def test_rotated_key_is_picked_up(self):
        """A second key that another process adds (here: copied from another database) is published and used."""
        urls = [self.postgres.database() for _ in range(2)]
        stores = [Store(url, self.dir).start() for url in urls]
        gateway = Gateway(stores[0])
        try:
            old = gateway.hello()["issuer"]["jwks"]["keys"][0]["kid"]
            kid, sealed = self.postgres.sql("SELECT kid, encode(sealed, 'hex') FROM signing_keys", urls[1]).split("|")
            self.postgres.sql("INSERT INTO signing_keys (generation, kid, alg, sealed, signs_from) "
                              f"VALUES (2, '{kid}', 'ES256', decode('{sealed}', 'hex'), now() + interval '4 s')", urls[0])
            end = time.time() + 3
            while len(gateway.hello()["issuer"]["jwks"]["keys"]) < 2 and time.time() < end:
                time.sleep(0.1)
            kids = [key["kid"] for key in gateway.hello()["issuer"]["jwks"]["keys"]]
            self.assertEqual(kids, [kid, old])
            session = self.public("signUp", gateway, handle="Rot", password=PASSWORD)
            while claims(session["token"], 0)["kid"] == old and time.time() < end + 4:
                time.sleep(0.2)
                session = self.refresh(session["refreshToken"], gateway)
            self.assertEqual(claims(session["token"], 0)["kid"], kid)
        finally:
            gateway.close()
            for store in stores:
                store.stop()

    # ---- floods and outages ----

    def test_flood_of_sign_ins(self):
        self.sign_up("Flood")
        start = time.time()
        ids = [self.gateway.post("Mutation.signIn", {"handle": "Flood", "password": "wr0ngpassword"}, identity=None,
                                 timeout_s=3) for _ in range(800)]
        # Others are served meanwhile.
        page = time.time()
        self.gateway.call("Query.getMessages", {})
        self.assertLess(time.time() - page, 2)
        codes = {}
        for id in ids:
            try:
                self.gateway.wait(id, 15)
            except Failure as failure:
                codes[failure.code] = codes.get(failure.code, 0) + 1
                if failure.code == "RATE_LIMITED":
                    self.assertGreaterEqual(failure.extensions["retryAfterMs"], 100)
                    self.assertEqual(failure.extensions["outcome"], "none")
        self.assertEqual(sum(codes.values()), 800, codes)
        self.assertGreater(codes.get("RATE_LIMITED", 0), 300, codes)
        self.assertGreater(codes.get("UNAUTHENTICATED", 0), 0, codes)
        self.assertLessEqual(set(codes), {"RATE_LIMITED", "UNAUTHENTICATED", "TIMEOUT"})
        self.assertLess(time.time() - start, 10)

    def test_stop_in_the_middle(self):
        url = self.postgres.database()
        store = Store(url, self.dir).start()
        gateway = Gateway(store)
        for i in range(100):
            gateway.post("Mutation.signUp", {"handle": f"u{i}", "password": PASSWORD}, identity=None)
        time.sleep(0.1)
        start = time.time()
        self.assertEqual(store.stop(), 0, store.log())
        self.assertLess(time.time() - start, 10)
        self.assertNotIn("Sanitizer", store.log())
        gateway.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
