"""The bus from a gateway's side (proto/bus.md), and private PostgreSQL clusters and stores for tests."""
import atexit, base64, json, os, pwd, shutil, signal, socket, struct, subprocess, tempfile, time, unittest, urllib.request, uuid
import zmq

HEADER = struct.Struct(">3sBBBHI16sQI")  # magic version verb flags - size id deadline -
HELLO, CALL, REPLAY, HEADS, EVENT = 1, 2, 3, 4, 5
ANSWER, ERROR = 1, 2
TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
ALICE = {"handle": "alice", "sub": "1", "provider": "user-pool", "groups": []}
BOB = {"handle": "bob", "sub": "2", "provider": "user-pool", "groups": []}


def find_store():
    for path in (os.environ.get("PARLEY_STORE_BIN"), *(f"{TOP}/build/{d}/bin/parley-store" for d in ("asan", "debug", "store"))):
        if path and os.path.exists(path):
            return path
    raise SystemExit("no parley-store: set PARLEY_STORE_BIN")


def uuid7():
    ms = int(time.time() * 1000)
    raw = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return bytes(raw)


def record(verb, body, id=None, timeout_s=10.0, version=1, flags=0, deadline_ms=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if deadline_ms is None:
        deadline_ms = int((time.time() + timeout_s) * 1000)
    return HEADER.pack(b"PRL", version, verb, flags, 0, len(data), id or uuid7(), deadline_ms, 0) + data


def records(message):
    at = 0
    while at < len(message):
        magic, version, verb, flags, _, size, id, deadline, _ = HEADER.unpack_from(message, at)
        assert magic == b"PRL" and version == 1, message[at:at + 40]
        at += HEADER.size
        yield verb, flags, id, json.loads(message[at:at + size])
        at += size
    assert at == len(message)


class Failure(Exception):
    def __init__(self, body):
        super().__init__(f"{body['code']}: {body['message']}")
        self.code, self.message, self.extensions = body["code"], body["message"], body.get("extensions", {})


class NoAnswer(Exception):
    pass


class Gateway:
    """One DEALER and one SUB."""

    def __init__(self, store, keys=None):
        self.context = zmq.Context.instance()
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.linger = 0
        self.dealer.setsockopt(zmq.RECONNECT_IVL, 20)
        self.secure(self.dealer, keys)
        self.dealer.connect(store.bus)
        self.sub = self.context.socket(zmq.SUB)
        self.sub.linger = 0
        self.sub.rcvhwm = self.sub.sndhwm = 0
        self.sub.setsockopt(zmq.RECONNECT_IVL, 20)
        self.secure(self.sub, keys)
        self.sub.connect(store.events)
        self.answers = {}
        self.messages = 0

    @staticmethod
    def secure(socket, keys):
        if keys:
            import zmq.auth
            socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(f"{keys}/gateway.key")
            socket.curve_serverkey, _ = zmq.auth.load_certificate(f"{keys}/services/store.pub")

    def close(self):
        self.dealer.close()
        self.sub.close()

    def send(self, *many):
        self.dealer.send(b"".join(many))

    def request(self, verb, body, id=None, timeout_s=10.0):
        id = id or uuid7()
        self.send(record(verb, body, id, timeout_s))
        return id

    def post(self, field, args=None, identity=ALICE, id=None, timeout_s=10.0, **more):
        return self.request(CALL, {"field": field, "args": args or {}, "identity": identity, **more}, id, timeout_s)

    def wait(self, id, timeout_s=10.0):
        end = time.time() + timeout_s
        while id not in self.answers:
            if not self.dealer.poll(max(0, (end - time.time()) * 1000)):
                raise NoAnswer()
            self.messages += 1
            for verb, flags, answer, body in records(self.dealer.recv()):
                assert flags & ANSWER
                self.answers[answer] = (verb, flags, body)
        verb, flags, body = self.answers.pop(id)
        if flags & ERROR:
            raise Failure(body)
        return body

    def call(self, field, args=None, identity=ALICE, id=None, timeout_s=10.0, **more):
        return self.wait(self.post(field, args, identity, id, timeout_s, **more), timeout_s + 1)

    def hello(self, timeout_s=5.0):
        return self.wait(self.request(HELLO, {"gateway": "test", "versions": [1]}), timeout_s)

    def create(self, body, room=None, message_id=None, **more):
        args = {"body": body}
        if room is not None:
            args["room"] = room
        if message_id is not None:
            args["messageId"] = message_id
        return self.call("Mutation.createMessage", args, **more)

    def page(self, **args):
        return self.call("Query.getMessages", args)

    def replay(self, stream, **args):
        return self.wait(self.request(REPLAY, {"stream": stream, "limit": 1000, **args}))

    def heads(self, *streams, **more):
        return self.wait(self.request(HEADS, {"streams": streams, **more}))

    def subscribe(self, stream):
        self.sub.setsockopt(zmq.SUBSCRIBE, stream.encode() + b"\0")

    def unsubscribe(self, stream):
        self.sub.setsockopt(zmq.UNSUBSCRIBE, stream.encode() + b"\0")

    def event(self, timeout_s=5.0):
        if not self.sub.poll(timeout_s * 1000):
            raise NoAnswer()
        topic, message = self.sub.recv_multipart()
        [(verb, flags, id, body)] = records(message)
        assert verb == EVENT and flags == 0 and id == bytes(16)
        assert topic == body["stream"].encode() + b"\0"
        return body

    def event_of_kind(self, kind, timeout_s=5.0):
        end = time.time() + timeout_s
        while True:
            event = self.event(max(0, end - time.time()))
            if event["kind"] == kind:
                return event


class Postgres:
    """A private cluster on a Unix socket, run as the user postgres when this is root."""

    def __init__(self, port=None):
        self.dir = tempfile.mkdtemp(prefix="parley-store-test-", dir="/tmp")
        self.bin = sorted(d for d in (f"/usr/lib/postgresql/{v}/bin" for v in os.listdir("/usr/lib/postgresql")))[-1]
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.dir, entry.pw_uid, entry.pw_gid)
            os.chmod(self.dir, 0o755)
        self.run("initdb", "-D", f"{self.dir}/data", "-U", "parley", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync")
        with open(f"{self.dir}/data/postgresql.conf", "a") as conf:
            conf.write(f"listen_addresses = '{'localhost' if port else ''}'\nport = {port or 5432}\nunix_socket_directories = '{self.dir}'\nmax_connections = 100\n")
        self.start()
        self.where = f"host={self.dir}&port={port or 5432}"
        self.url = f"postgresql://parley@/postgres?{self.where}"

    def run(self, program, *args):
        options = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        return subprocess.run([f"{self.bin}/{program}", *args], check=True, cwd="/tmp", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **options).stdout

    def start(self):
        self.run("pg_ctl", "-D", f"{self.dir}/data", "-l", f"{self.dir}/log", "-w", "start")

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "-D", f"{self.dir}/data", "-m", mode, "-w", "stop")

    def database(self):
        """A fresh database; its URL."""
        name = "t" + uuid.uuid4().hex[:12]
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://parley@/{name}?{self.where}"

    def sql(self, text, url=None):
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url or self.url, "-c", text).strip()

    def remove(self):
        try:
            self.stop()
        except subprocess.CalledProcessError:
            pass
        shutil.rmtree(self.dir, ignore_errors=True)


def share_postgres(module):
    """A module's setUpModule and tearDownModule: its tests share a cluster and a folder, its globals `postgres` and `scratch`."""
    def set_up():
        module["scratch"] = tempfile.mkdtemp(prefix="parley-store-test-", dir="/tmp")
        module["postgres"] = Postgres()

    def tear_down():
        module["postgres"].remove()
        shutil.rmtree(module["scratch"], ignore_errors=True)

    return set_up, tear_down


def end(process):
    if process.poll() is None:
        process.kill()
        process.wait()


class Store:
    port = int(os.environ.get("PARLEY_TEST_PORTS", "18500"))
    held = []

    @classmethod
    def free_port(cls):
        """A port of our own while this process runs: holding the UDP port of that number says so (harness/ports.mjs)."""
        while True:
            cls.port += 1
            hold = socket.socket(type=socket.SOCK_DGRAM)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    hold.bind(("127.0.0.1", cls.port))
                    probe.bind(("127.0.0.1", cls.port))
                    cls.held.append(hold)
                    return cls.port
                except OSError:
                    hold.close()

    def __init__(self, url, dir, env=None, args=()):
        self.url, self.binary = url, find_store()
        self.dir = tempfile.mkdtemp(dir=dir)
        self.bus, self.events = f"ipc://{self.dir}/bus", f"ipc://{self.dir}/events"
        self.admin = f"127.0.0.1:{Store.free_port()}"
        self.args, self.env = list(args), dict(env or {})
        self.keys = f"{dir}/keys"
        subprocess.run([self.binary, "keygen", self.keys], check=True, stdout=subprocess.DEVNULL)
        self.process = None
        self.log_path = f"{self.dir}/log"

    def start(self, wait=True, env=None):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [self.binary, "--database-url", self.url, "--bus", self.bus, "--events", self.events,
             "--keys", f"{self.keys}/store", "--admin", self.admin, *self.args],
            stdout=log, stderr=log, env={**os.environ, **self.env, **(env or {})})
        atexit.register(end, self.process)  # also when a test failed before it stopped its store
        log.close()
        if wait:
            self.wait_ready()
        return self

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def wait_ready(self, timeout_s=15.0):
        end = time.time() + timeout_s
        while self.process.poll() is not None or not self.is_ready():
            if self.process.poll() is not None or time.time() > end:
                raise AssertionError("the store did not get ready:\n" + self.log())
            time.sleep(0.01)

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=2) as response:
            lines = response.read().decode().splitlines()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s=10):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def command(self, *words):
        return subprocess.run([self.binary, *words], env={**os.environ, "PARLEY_DATABASE_URL": self.url, "PARLEY_ADMIN": self.admin},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)


def claims(token, part=1):
    text = token.split(".")[part]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class StoreTest(unittest.TestCase):
    """A PostgreSQL, a store and a gateway for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="parley-store-test-", dir="/tmp")
        cls.postgres = Postgres()
        cls.url = cls.postgres.database()
        cls.store = Store(cls.url, cls.dir).start()
        cls.gateway = Gateway(cls.store)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        try:
            assert cls.store.stop() == 0, cls.store.log()
        finally:
            cls.postgres.remove()
            shutil.rmtree(cls.dir)
