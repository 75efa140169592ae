// The parts of the page that need no browser, by node's own test runner: node --test test
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

globalThis.crypto ??= webcrypto; // browsers have it, and Node from version 20 on

const source = fileURLToPath(new URL("../src", import.meta.url));
let directory;
let modules;

before(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "parley-web-"));
    const names = ["lib/uuid", "lib/backoff", "lib/storage", "lib/store", "lib/format", "api/errors"];
    names.push("chat/messages", "chat/rows", "chat/rooms", "session/token");
    await build({
        entryPoints: names.map((name) => path.join(source, `${name}.ts`)),
        outbase: source,
        outdir: directory,
        outExtension: { ".js": ".mjs" },
        bundle: true,
        format: "esm",
        define: { "window.localStorage": "globalThis.fakeStorage", "window.sessionStorage": "globalThis.fakeStorage" },
    });
    const load = (name) => import(pathToFileURL(path.join(directory, `${name}.mjs`)).href);
    modules = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await load(name)])));
});
after(() => rm(directory, { recursive: true, force: true }));

function message(seq, fields = {}) {
    const createdAt = new Date(2026, 0, 5, 12, 0, seq).toISOString();
    return { messageId: `id-${seq}`, cursor: `c-${seq}`, body: `m${seq}`, handle: "ann", room: "lobby", createdAt, ...fields };
}

test("a UUID is of version 7, carries its time, and differs each time", () => {
    const { uuid } = modules["lib/uuid"];
    const now = 1_795_000_000_123;
    const id = uuid(now);
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(parseInt(id.replace("-", "").slice(0, 12), 16), now);
    assert.notEqual(uuid(now), id);
});

test("back-off grows to a ceiling, with jitter in its upper half", () => {
    const { backoffMs } = modules["lib/backoff"];
    for (let attempt = 0; attempt < 2000; attempt++) {
        const [least, most] = [backoffMs(attempt, () => 0), backoffMs(attempt, () => 1)];
        assert.equal(most, least * 2);
        assert.ok(most <= 15_000);
    }
    assert.ok(backoffMs(1, () => 0) > backoffMs(0, () => 0));
    assert.equal(backoffMs(1e9, () => 1), 15_000);
});

test("messages are kept once, by id and by cursor", () => {
    const { append, prepend } = modules["chat/messages"];
    const list = [message(3), message(4)];
    assert.deepEqual(append(list, [message(4), message(5), message(5)]).map((m) => m.body), ["m3", "m4", "m5"]);
    assert.deepEqual(append(list, [message(9, { messageId: "id-4" }), message(8, { cursor: "c-3" })]), list);
    assert.equal(append(list, [message(3)]), list, "nothing new is the same list");
    assert.deepEqual(prepend(list, [message(1), message(2), message(3)]).map((m) => m.body), ["m1", "m2", "m3", "m4"]);
});

test("rows have a heading for each day, and groups of one sender's messages", () => {
    const { rowsOf } = modules["chat/rows"];
    const at = (day, hour, minute) => new Date(2026, 0, day, hour, minute).toISOString();
    const rows = rowsOf(
        [
            message(1, { createdAt: at(3, 12, 0) }),
            message(2, { createdAt: at(4, 23, 59) }),
            message(3, { createdAt: at(5, 0, 1) }),
            message(4, { createdAt: at(5, 0, 4) }),
            message(5, { createdAt: at(5, 0, 4), handle: "bob" }),
            message(6, { createdAt: at(5, 0, 30), handle: "bob" }),
        ],
        new Date(2026, 0, 5, 18),
    );
    const shown = rows.map((row) => (row.kind === "day" ? row.label : `${row.opensGroup ? "+" : "."}${row.message.body}`));
    assert.deepEqual(shown.slice(2), ["Yesterday", "+m2", "Today", "+m3", ".m4", "+m5", "+m6"]);
    assert.equal(shown[1], "+m1");
    assert.equal(new Set(rows.map((row) => row.key)).size, rows.length);
});

test("a room's name survives the way through the address", () => {
    const { hashOfRoom, roomOfHash } = modules["chat/rooms"];
    for (const room of ["lobby", "a/b", "# 100 %", "ünïcode 🙂", "..", "?x=1&y"]) {
        assert.equal(roomOfHash(hashOfRoom(room)), room);
    }
    for (const hash of ["", "#", "#/room/", "#/room/%", "#/other/x"]) {
        assert.equal(roomOfHash(hash), "lobby");
    }
});

test("remembered rooms begin with the lobby, are few, and come from untrusted storage", () => {
    const { rememberedRooms, rememberRoom, forgetRoom } = modules["chat/rooms"];
    const kept = new Map();
    globalThis.fakeStorage = {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => kept.set(key, value),
        removeItem: (key) => kept.delete(key),
    };
    for (const broken of ["{", "7", '{"a":1}', "[1,null]"]) {
        kept.set("parley.rooms", broken);
        assert.deepEqual(rememberedRooms(), ["lobby"]);
    }
    for (let i = 0; i < 40; i++) {
        rememberRoom(`room ${i}`);
    }
    assert.equal(rememberedRooms().length, 13);
    assert.equal(rememberedRooms()[0], "lobby");
    assert.ok(!forgetRoom("room 39").includes("room 39"));
    assert.deepEqual(rememberRoom("private/3f0c"), rememberedRooms());
    assert.ok(!rememberedRooms().includes("private/3f0c"), "which private rooms there are is the server's to say");
});

test("a browser without storage costs no more than memory across reloads", () => {
    const { JsonStorage } = modules["lib/storage"];
    const storage = new JsonStorage(() => {
        throw new Error("SecurityError");
    });
    assert.equal(storage.read("key"), null);
    storage.write("key", { a: 1 });
    assert.deepEqual(storage.read("key"), { a: 1 });
    storage.remove("key");
    assert.equal(storage.read("key"), null);
});

test("a store tells of changes only, until unsubscribed", () => {
    const { Store } = modules["lib/store"];
    const store = new Store(1);
    let calls = 0;
    const stop = store.subscribe(() => (calls += 1));
    store.set(1);
    store.set(2);
    stop();
    store.set(3);
    assert.equal(calls, 1);
    assert.equal(store.get(), 3);
});

test("a token's lifetime is read from it, whatever the clock", () => {
    const { tokenLifetimeMs } = modules["session/token"];
    const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;
    assert.equal(tokenLifetimeMs(token({ iat: 1000, exp: 4600, sub: "ü?>~" })), 3_600_000);
    for (const bad of ["", "x", "a.b.c", token({ exp: 5 }), token({ iat: 5, exp: 5 }), token({ iat: "1", exp: "2" })]) {
        assert.equal(tokenLifetimeMs(bad), null);
    }
});

test("errors are explained without their codes, and never with an inner one's words", () => {
    const { ApiError, errorFromWire, explain } = modules["api/errors"];
    const wire = (message, code) => errorFromWire([{ message, extensions: { code } }]);
    assert.equal(explain(wire("room: has 1 to 128 characters", "BAD_USER_INPUT")), "Room: has 1 to 128 characters.");
    assert.equal(explain(wire("relation \"x\" does not exist", "INTERNAL")), "Something went wrong on the server.");
    assert.equal(explain(errorFromWire([null])), "Something went wrong on the server.");
    assert.equal(explain(new ApiError("NETWORK", "fetch failed")), "The server cannot be reached.");
    assert.equal(explain(new TypeError("x is undefined")), "Something went wrong on the server.");
});
