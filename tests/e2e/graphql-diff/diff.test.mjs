// The engine's verdicts beside graphql-js's: the same rule at the same places, for thousands of generated documents, and
// the same schemas, printed alike. Seeds are fixed; PARLEY_DIFF_COUNT and PARLEY_DIFF_SEED widen the run by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildSchema } from 'graphql';
import { document, mangled, schema as makeSchema, SDL } from './generate.mjs';
import { toolPath, withTools } from './tool.mjs';
import { actual, expected, expectedSchema, keys } from './verdict.mjs';

const COUNT = Number(process.env.PARLEY_DIFF_COUNT ?? 1500);
const FIRST = Number(process.env.PARLEY_DIFF_SEED ?? 1);
const MAX_ERRORS = 100;
const BATCH = 100; // questions that are on their way at once
const skip = toolPath() ? false : 'gql_tool is not built (set PARLEY_GQL_TOOL)';

// Asks for seeds first … first + count - 1 and gives each answer with its seed, in order.
async function* answers(tool, count, question) {
    for (let from = FIRST; from < FIRST + count; from += BATCH) {
        const seeds = Array.from({ length: Math.min(BATCH, FIRST + count - from) }, (_, i) => from + i);
        const got = await Promise.all(seeds.map((seed) => tool.ask(question(seed))));
        for (const [i, seed] of seeds.entries()) yield { seed, got: got[i] };
    }
}

async function compareDocuments(tool, make) {
    const schema = buildSchema(SDL);
    const rules = new Set();
    let valid = 0;
    assert.equal((await tool.ask({ sdl: SDL })).schema, null);
    for await (const { seed, got: answer } of answers(tool, COUNT, (n) => ({ document: make(n) }))) {
        const text = make(seed);
        const want = expected(schema, text);
        const got = actual(answer);
        if (want.errors.length >= MAX_ERRORS) continue;
        assert.equal(got.syntax, want.syntax, `seed ${seed}\n${text}`);
        assert.deepEqual(keys(got), keys(want), `seed ${seed}\n${text}`);
        if (!want.errors.length) valid++;
        for (const { rule } of want.errors) rules.add(rule);
    }
    return { valid, rules };
}

test('generated documents get the same verdict', { skip }, async () => {
    const { valid, rules } = await withTools([undefined], (tool) => compareDocuments(tool, document));
    assert.ok(valid > COUNT / 10, `only ${valid} valid documents`);
    assert.ok(rules.size >= 25, `only ${rules.size} rules came up: ${[...rules].sort()}`);
});

test('mangled documents get the same syntax errors', { skip }, async () => {
    const { rules } = await withTools([undefined], (tool) => compareDocuments(tool, mangled));
    assert.ok(rules.has(''));
});

async function compareSchemas(tool, count) {
    let valid = 0;
    for await (const { seed, got } of answers(tool, count, (n) => ({ sdl: makeSchema(n), print: true }))) {
        const sdl = makeSchema(seed);
        const want = expectedSchema(sdl);
        assert.equal(got.schema === null, want.error === null, `seed ${seed}\n${sdl}\n${want.error}\n${got.schema}`);
        if (want.error !== null) continue;
        valid++;
        assert.equal(got.print, want.print, `seed ${seed}`);
    }
    return valid;
}

test('generated schemas are accepted, refused and printed alike', { skip }, async () => {
    const count = Math.ceil(COUNT / 3);
    const valid = await withTools([undefined], (tool) => compareSchemas(tool, count));
    assert.ok(valid > count / 10 && valid < count * 0.9, `${valid} of ${count} were valid`);
});
