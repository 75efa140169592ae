// printSchema(buildClientSchema(introspection)) is the SDL that the engine prints, for the golden schemas, the store's
// own and generated ones.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildClientSchema, getIntrospectionQuery, printSchema } from 'graphql';
import { schema as makeSchema } from './generate.mjs';
import { toolPath, withTools } from './tool.mjs';

const ROOT = new URL('../../../', import.meta.url).pathname;
const GOLDEN = `${ROOT}tests/golden/graphql/schema/`;
const COUNT = 200;
const skip = toolPath() && toolPath('exec_tool') ? false : 'gql_tool and exec_tool are not built';
const query = getIntrospectionQuery({
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
});

async function compare(front, engine, sdl) {
    const { schema, print } = await front.ask({ sdl, print: true });
    if (schema !== null) return false;
    const { response } = await engine.ask({ schema: sdl, case: { document: query, answers: {} } });
    assert.equal(response.errors, undefined);
    assert.equal(printSchema(buildClientSchema(response.data)), print);
    return true;
}

test('introspection tells the whole schema', { skip }, () => withTools([undefined, toolPath('exec_tool')], async (front, engine) => {
    const files = readdirSync(GOLDEN).map((name) => GOLDEN + name);
    let valid = 0;
    for (const file of [...files, `${ROOT}proto/chat.graphql`]) {
        assert.ok(await compare(front, engine, readFileSync(file, 'utf8')), file);
    }
    for (let seed = 1; seed <= COUNT; seed++) valid += await compare(front, engine, makeSchema(seed * 4));
    assert.ok(valid > COUNT / 2, `only ${valid} schemas were valid`);
}));
