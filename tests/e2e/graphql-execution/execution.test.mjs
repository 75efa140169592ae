// The engine's responses beside graphql-js's: equal data, errors (message, places, path) and calls, for generated
// operations over generated answers. Seeds are fixed; PARLEY_DIFF_COUNT and PARLEY_DIFF_SEED widen the run by hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildClientSchema, execute, getIntrospectionQuery, GraphQLError, parse, printSchema, validate } from 'graphql';
import { toolPath, withTools } from '../graphql-diff/tool.mjs';
import { answers } from './answers.mjs';
import { Operation, schema, SDL } from './operations.mjs';
import { Random } from './random.mjs';

const COUNT = Number(process.env.PARLEY_DIFF_COUNT ?? 600);
const FIRST = Number(process.env.PARLEY_DIFF_SEED ?? 1);
const ROOT = new URL('../../../', import.meta.url).pathname;
const executor = toolPath()?.replace(/gql_tool$/, 'exec_tool');
const skip = executor ? false : 'exec_tool is not built (set PARLEY_GQL_TOOL)';

const plain = (value) => JSON.parse(JSON.stringify(value));

// Where our wording is our own.
const wordings = [
    [/^Abstract type "\w+" must resolve to an Object type/, 'no type'],
    [/^Expected value of type/, 'no object'],
];

function comparable(response) {
    const result = plain(response);
    for (const error of result.errors ?? []) {
        delete error.extensions;
        for (const [pattern, word] of wordings) if (pattern.test(error.message)) error.message = word;
    }
    return result;
}

async function expected(testCase) {
    const calls = [];
    const fieldResolver = (source, args, context, info) => {
        if (info.path.prev) return typeof source === 'object' && source ? source[info.fieldName] : undefined;
        const field = `${info.parentType.name}.${info.fieldName}`;
        const answer = testCase.answers[field];
        calls.push({ field, args });
        if (answer?.$error) throw new GraphQLError(answer.$error.message, { extensions: { code: answer.$error.code } });
        return answer;
    };
    const response = await execute({ schema, document: parse(testCase.document), variableValues: testCase.variables, fieldResolver });
    return { response: comparable(response), calls: plain(calls) };
}

function makeCase(seed) {
    const random = new Random(seed);
    const operation = new Operation(random);
    return { document: operation.document, variables: operation.variables(), answers: answers(random, schema, operation.root) };
}

test('generated operations get the same response', { skip }, () => withTools([executor], async (tool) => {
    const seen = { executed: 0, requestErrors: 0, fieldErrors: 0 };
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
        const testCase = makeCase(seed);
        if (validate(schema, parse(testCase.document)).length) continue;
        const want = await expected(testCase);
        const got = await tool.ask({ ...(seed === FIRST && { schema: SDL }), case: testCase });
        const about = `seed ${seed}\n${testCase.document}\n${JSON.stringify(testCase.variables)}`;
        // as text, so that the order of members counts
        assert.equal(JSON.stringify(comparable(got.response)), JSON.stringify(want.response), about);
        if (!want.response.errors) {
            const calls = got.calls.flat().map(({ field, args }) => ({ field, args }));
            assert.equal(JSON.stringify(calls), JSON.stringify(want.calls), about);
        }
        if (!('data' in want.response)) seen.requestErrors++;
        else if (want.response.errors) seen.fieldErrors++;
        else seen.executed++;
    }
    for (const [what, count] of Object.entries(seen)) assert.ok(count > COUNT / 20, `only ${count} ${what}`);
}));

test('introspection gives the schema back', { skip }, () => withTools([executor, undefined], async (executing, printing) => {
    const document = getIntrospectionQuery({
        descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true,
    });
    const files = ['proto/chat.graphql', 'tests/golden/graphql/execution/schema.sdl'].map((path) => readFileSync(ROOT + path, 'utf8'));
    for (const sdl of [...files, SDL]) {
        const { response } = await executing.ask({ schema: sdl, case: { document } });
        const { print } = await printing.ask({ sdl, document: '{ __typename }', print: true });
        assert.equal(response.errors, undefined);
        assert.equal(printSchema(buildClientSchema(response.data)), print);
    }
}));
