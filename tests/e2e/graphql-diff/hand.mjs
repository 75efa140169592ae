// By hand: node hand.mjs FIRST_SEED COUNT [document|mangled] shows the first differences, messages included.
import { buildSchema } from 'graphql';
import { document, mangled, SDL } from './generate.mjs';
import { Tool } from './tool.mjs';
import { actual, expected, key, keys } from './verdict.mjs';

const [first = '1', count = '2000', kind = 'document'] = process.argv.slice(2);
const schema = buildSchema(SDL);
const tool = new Tool();
await tool.ask({ sdl: SDL });
const rules = {};
let differences = 0;
let wordings = 0;
let valid = 0;
for (let seed = Number(first); seed < Number(first) + Number(count) && differences < 5; seed++) {
    const text = kind === 'mangled' ? mangled(seed) : document(seed);
    const want = expected(schema, text);
    const got = actual(await tool.ask({ document: text }));
    if (want.errors.length >= 100) continue;
    valid += want.errors.length === 0;
    for (const { rule } of want.errors) rules[rule || 'syntax'] = (rules[rule || 'syntax'] ?? 0) + 1;
    if (keys(want).join('\n') !== keys(got).join('\n')) {
        differences++;
        const only = (a, b) => a.errors.filter((e) => !keys(b).includes(key(e))).map((e) => `    ${key(e)} ${e.message}`).join('\n');
        console.log(`---- seed ${seed}\n${text}\nonly graphql-js:\n${only(want, got)}\nonly ours:\n${only(got, want)}`);
    } else if (process.env.WORDING) {
        const texts = (verdict) => verdict.errors.map((e) => e.message).sort().join('\n');
        if (texts(want) !== texts(got) && wordings++ < 10) console.log(`-- seed ${seed} words\n${texts(want)}\n--\n${texts(got)}`);
    }
}
console.log({ differences, wordings, valid, rules });
tool.close();
