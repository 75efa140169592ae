// Seeded generator of schemas and of documents for them, most of them a little broken. The same seed gives the same text.

export function random(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = state;
        t = Math.imul(t ^ (t >>> 15), t | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const self = {
        next,
        below: (n) => Math.floor(next() * n),
        chance: (p) => next() < p,
        pick: (list) => list[Math.floor(next() * list.length)],
    };
    return self;
}

// ---- the schema: fixed in shape, with every kind of type, so that each rule has something to bite on ----
export const SDL = `
directive @onField(level: Int = 1, tags: [String!]) on FIELD
directive @again(n: Int!) repeatable on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT | QUERY
directive @everywhere(in: Filter) on QUERY | MUTATION | SUBSCRIPTION | FIELD | FRAGMENT_DEFINITION | FRAGMENT_SPREAD | INLINE_FRAGMENT | VARIABLE_DEFINITION

scalar Any

enum Color { RED GREEN BLUE DARK_BLUE }

input Filter {
    text: String
    limit: Int = 10
    color: Color
    must: Boolean!
    nested: Filter
    list: [Int!]
    matrix: [[Int]]
    one: Choice
    any: Any
}

input Choice @oneOf { id: ID name: String filter: Filter }

interface Node { id: ID! node(id: ID!): Node }

interface Named implements Node { id: ID! name(upper: Boolean = false): String node(id: ID!): Node }

type User implements Named & Node {
    id: ID!
    name(upper: Boolean = false, lang: String): String
    node(id: ID!): Node
    age: Int
    color: Color
    friends(first: Int, filter: Filter): [User!]!
    pet: Pet
    score: Float!
}

type Dog implements Named & Node {
    id: ID!
    name(upper: Boolean = false): String
    node(id: ID!): Node
    barks: Boolean
    age: Int!
    owner: User
    color: String
    score: Float
}

type Cat implements Node {
    id: ID!
    node(id: ID!): Node
    meows(times: Int! = 3): Boolean
    age: String
    owner: User!
    score: [Float]
}

union Pet = Dog | Cat

type Query {
    me: User
    user(id: ID!, color: Color = RED): User
    node(id: ID!): Node
    named: [Named]
    pet: Pet
    pets(filter: Filter!, first: Int = 5): [Pet!]
    echo(int: Int, float: Float, string: String, bool: Boolean, id: ID, color: Color, any: Any, ints: [Int!]!): String
    choose(by: Choice): Int
    query: Query
}

type Mutation { rename(id: ID!, name: String!): User touch: Int }

type Subscription { renamed(id: ID): User touched: Int }
`;

const COMPOSITE = ['User', 'Dog', 'Cat', 'Node', 'Named', 'Pet', 'Query'];

const f = (type, args = {}) => ({ type, args });
const FIELDS = {
    Node: { id: f('ID!'), node: f('Node', { id: 'ID!' }) },
    Named: { id: f('ID!'), name: f('String', { upper: 'Boolean' }), node: f('Node', { id: 'ID!' }) },
    User: {
        id: f('ID!'), name: f('String', { upper: 'Boolean', lang: 'String' }), node: f('Node', { id: 'ID!' }),
        age: f('Int'), color: f('Color'), friends: f('[User!]!', { first: 'Int', filter: 'Filter' }),
        pet: f('Pet'), score: f('Float!'),
    },
    Dog: {
        id: f('ID!'), name: f('String', { upper: 'Boolean' }), node: f('Node', { id: 'ID!' }),
        barks: f('Boolean'), age: f('Int!'), owner: f('User'), color: f('String'), score: f('Float'),
    },
    Cat: {
        id: f('ID!'), node: f('Node', { id: 'ID!' }), meows: f('Boolean', { times: 'Int!' }), age: f('String'),
        owner: f('User!'), score: f('[Float]'),
    },
    Pet: {},
    Query: {
        me: f('User'), user: f('User', { id: 'ID!', color: 'Color' }), node: f('Node', { id: 'ID!' }),
        named: f('[Named]'), pet: f('Pet'), pets: f('[Pet!]', { filter: 'Filter!', first: 'Int' }),
        echo: f('String', {
            int: 'Int', float: 'Float', string: 'String', bool: 'Boolean', id: 'ID', color: 'Color', any: 'Any',
            ints: '[Int!]!',
        }),
        choose: f('Int', { by: 'Choice' }), query: f('Query'),
    },
    Mutation: { rename: f('User', { id: 'ID!', name: 'String!' }), touch: f('Int') },
    Subscription: { renamed: f('User', { id: 'ID' }), touched: f('Int') },
};
const INPUTS = {
    Filter: {
        text: 'String', limit: 'Int', color: 'Color', must: 'Boolean!', nested: 'Filter', list: '[Int!]',
        matrix: '[[Int]]', one: 'Choice', any: 'Any',
    },
    Choice: { id: 'ID', name: 'String', filter: 'Filter' },
};
const NARROWER = {
    Node: ['User', 'Dog', 'Cat', 'Named', 'Node', 'Pet'], Named: ['User', 'Dog', 'Named', 'Node', 'Pet'],
    Pet: ['Dog', 'Cat', 'Node', 'Named', 'Pet'], User: ['User', 'Node', 'Named'], Dog: ['Dog', 'Node', 'Pet'],
    Cat: ['Cat', 'Node', 'Pet'], Query: ['Query'], Mutation: ['Mutation'], Subscription: ['Subscription'],
};
const named = (type) => type.replace(/[[\]!]/g, '');
const ALL_FIELDS = [...new Set(Object.values(FIELDS).flatMap((fields) => Object.keys(fields)))];

class Generator {
    constructor(seed, wrong) {
        this.r = random(seed);
        this.wrong = wrong; // how likely each choice is a bad one
        this.fragments = [];
        this.variables = null;
        this.budget = 40;
    }

    bad() {
        return this.r.chance(this.wrong);
    }

    gap() {
        return this.r.pick([' ', ' ', ' ', '\n', '\n  ', ', ', ' # c\n', '\t', '\r\n', ' # é😀\n']);
    }

    value(type, depth = 0, constant = false) {
        const { r } = this;
        if (!constant && this.variables && r.chance(0.2)) return this.variable(type);
        if (this.bad()) return this.oddValue(constant);
        if (type.endsWith('!')) return this.value(type.slice(0, -1), depth, constant);
        if (r.chance(0.05)) return 'null';
        if (type.startsWith('[')) {
            const item = type.slice(1, -1);
            if (r.chance(0.2)) return this.value(item, depth, constant);
            return `[${Array.from({ length: r.below(3) }, () => this.value(item, depth + 1, constant)).join(this.gap())}]`;
        }
        switch (type) {
            case 'Int': return r.pick(['0', '1', '-1', '2147483647', '-2147483648', '42']);
            case 'Float': return r.pick(['0', '1.5', '-2.25e10', '1E-3', '7']);
            case 'Boolean': return r.pick(['true', 'false']);
            case 'ID': return r.pick(['"a"', '4', '"é😀"']);
            case 'Color': return r.pick(['RED', 'GREEN', 'BLUE', 'DARK_BLUE']);
            case 'String':
                return r.pick(['"x"', '""', '"\\u00e9\\n\\t\\"\\\\"', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"""block "quoted" \\""" text"""', '"""\n    a\n      b\n  """', '"é😀"']);
            case 'Any': return r.pick(['1', '"x"', 'true', '{a: [1, {b: "c"}]}', '[1, 2]', 'E', '{}']);
            default: return depth > 3 || !(type in INPUTS) ? 'null' : this.object(type, depth, constant);
        }
    }

    object(type, depth, constant) {
        const { r } = this;
        const fields = INPUTS[type];
        let names = Object.keys(fields).filter((name) => fields[name].endsWith('!') ? !this.bad() : r.chance(0.3));
        if (type === 'Choice') names = this.bad() ? names : [r.pick(Object.keys(fields))];
        if (this.bad() && names.length) names.push(r.pick(names));
        if (this.bad()) names.push(r.pick(['nme', 'txt', 'unknown', 'colour', 'limits']));
        return `{${names.map((name) => `${name}: ${this.value(fields[name] ?? 'Int', depth + 1, constant)}`).join(this.gap())}}`;
    }

    oddValue(constant) {
        const { r } = this;
        const odd = ['1', '2147483648', '-99999999999999999999', '1.0', '"text"', 'true', 'null', 'RED', 'redd', 'GREEEN', '[]', '[1, "a"]', '{}', '{a: 1}', '{must: true}', '{id: "x", name: "y"}', '{id: null}', '{name: 3}'];
        if (!constant) odd.push('$undefined', '{must: $v1}', '[$v0]', '{id: $v2}');
        return r.pick(odd);
    }

    variable(type) {
        const { r } = this;
        if (this.bad()) return r.pick(['$undefined', '$v0', '$v1', '$v2']);
        const known = this.variables.filter((v) => v.type === type);
        if (known.length && r.chance(0.5)) return `$${r.pick(known).name}`;
        const name = `v${this.variables.length}`;
        this.variables.push({ name, type });
        return `$${name}`;
    }

    args(args) {
        const { r } = this;
        const names = Object.keys(args).filter((name) => args[name].endsWith('!') ? !this.bad() : r.chance(0.4));
        if (this.bad() && names.length) names.push(r.pick(names));
        if (this.bad()) names.push(r.pick(['idd', 'frst', 'unknown', 'upper', 'nam']));
        if (!names.length) return '';
        return `(${names.map((name) => `${name}:${this.gap()}${this.value(args[name] ?? 'Int')}`).join(this.gap())})`;
    }

    directives(place, constant = false) {
        const { r } = this;
        let text = '';
        while (r.chance(0.12)) {
            const kind = this.bad() ? 'bad' : 'good';
            const value = (type) => this.value(type, 0, constant);
            const good = {
                FIELD: [() => `@skip(if: ${value('Boolean!')})`, () => `@include(if: ${value('Boolean!')})`, () => `@onField(level: ${value('Int')})`, () => '@onField', () => `@again(n: ${value('Int!')})`, () => `@everywhere(in: ${value('Filter')})`],
                FRAGMENT: [() => `@skip(if: ${value('Boolean!')})`, () => `@again(n: ${value('Int!')})`, () => '@everywhere'],
                DEFINITION: [() => '@everywhere', () => `@everywhere(in: ${value('Filter')})`],
            }[place];
            const bad = ['@unknown', '@skip', '@skip(if: 1)', '@again', '@again(n: 1, n: 2)', '@onField(lvl: 1)', '@onField @onField', '@include(if: true) @include(if: false)', '@deprecated', '@oneOf', '@onField(tags: [1])'];
            text += ` ${kind === 'good' ? r.pick(good)() : r.pick(bad)}`;
        }
        return text;
    }

    selection(type, depth) {
        const { r } = this;
        const choice = r.next();
        this.budget--;
        if (choice < 0.12 && depth > 0) return this.spread(type);
        if (choice < 0.25) {
            const on = this.bad() ? r.pick([...COMPOSITE, 'Color', 'Filter', 'Usr', 'String']) : r.pick(NARROWER[type] ?? [type]);
            const condition = r.chance(0.85) ? ` on ${on}` : '';
            return `...${condition}${this.directives('FRAGMENT')} ${this.set(condition ? on : type, depth + 1)}`;
        }
        const fields = FIELDS[type] ?? {};
        const names = Object.keys(fields);
        let name = names.length && !r.chance(0.08) ? r.pick(names) : '__typename';
        if (this.bad()) name = r.pick([...ALL_FIELDS, 'nmae', 'agee', '__schema', 'unknown', '__type']);
        const alias = r.chance(0.2) ? `${r.pick(['x', 'y', 'name', 'age', 'id'])}: ` : '';
        const field = fields[name] ?? { type: 'String', args: {} };
        const composite = named(field.type) in FIELDS;
        let text = `${alias}${name}${this.args(field.args)}${this.directives('FIELD')}`;
        if (composite !== this.bad()) text += ` ${this.set(named(field.type), depth + 1)}`;
        return text;
    }

    spread(type) {
        const { r } = this;
        if (this.bad()) return `...${r.pick(['Unknown', 'F0', 'F1', 'F2'])}`;
        const fitting = this.fragments.filter((fragment) => (NARROWER[type] ?? []).includes(fragment.on));
        let fragment;
        if (fitting.length && r.chance(0.7)) {
            fragment = r.pick(fitting);
        } else {
            fragment = { name: `F${this.fragments.length}`, on: r.pick(NARROWER[type] ?? [type]), done: false };
            this.fragments.push(fragment);
        }
        return `...${fragment.name}${this.directives('FRAGMENT')}`;
    }

    set(type, depth) {
        const { r } = this;
        if (depth > 5 || this.budget <= 0) return '{__typename}';
        const count = 1 + r.below(depth === 0 ? 4 : 3);
        return `{${Array.from({ length: count }, () => this.selection(type, depth)).join(this.gap())}}`;
    }

    introspection() {
        const { r } = this;
        return r.pick([
            '{__schema{types{name kind fields{name type{name ofType{name}}}}}}',
            '{__type(name: "User"){name fields(includeDeprecated: true){name args{name}}}}',
            '{__schema{types{fields{type{fields{type{fields{name}}}}}}}}',
            '{__type{name}}',
            '{__schema{directives{name locations args{name}} queryType{nam}}}',
        ]);
    }

    operation(index) {
        const { r } = this;
        const kind = r.chance(0.8) ? 'query' : r.pick(['mutation', 'subscription']);
        const root = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' }[kind];
        if (r.chance(0.03)) return this.introspection();
        this.variables = [];
        this.budget = 40;
        let body;
        if (kind === 'subscription' && !this.bad()) body = r.pick(['{touched}', '{renamed{id name}}', '{x: renamed(id: 4){...on User{age}}}', '{...on Subscription{touched}}']);
        else body = this.set(root, 0);
        // the fragments that came up belong to this operation, so they may use its variables
        let fragments = '';
        for (const fragment of this.fragments) {
            if (fragment.done) continue;
            fragment.done = true;
            const on = this.bad() ? r.pick(['Color', 'Filter', 'Usr', ...COMPOSITE]) : fragment.on;
            fragments += `\nfragment ${fragment.name} on ${on}${this.directives('DEFINITION')} ${this.set(on, 1)}\n`;
            if (this.fragments.length > 12) break;
        }
        let variables = this.variables;
        if (this.bad()) variables = variables.slice(1);
        if (this.bad()) variables = [...variables, { name: 'unused', type: 'Int' }];
        if (this.bad() && variables.length) variables = [...variables, variables[0]];
        const definitions = variables.map(({ name, type }) => {
            let wanted = type;
            if (this.bad()) wanted = r.pick(['Int', 'String!', '[Int]', 'User', 'Unknown', 'Filter', '[Pet!]', `${type.replace(/!$/, '')}`, 'Color!']);
            const value = r.chance(0.2) ? ` = ${this.value(wanted, 0, true)}` : '';
            return `$${name}: ${wanted}${value}${this.directives('DEFINITION', true)}`;
        });
        const shorthand = kind === 'query' && !definitions.length && r.chance(0.4);
        const name = this.bad() ? r.pick(['', 'Op0']) : `Op${index}`;
        const head = shorthand ? '' : `${kind} ${name}${definitions.length ? `(${definitions.join(this.gap())})` : ''}${this.directives('DEFINITION')} `;
        this.variables = null;
        return r.chance(0.5) ? `${head}${body}${fragments}` : `${fragments}${head}${body}`;
    }

    document() {
        const { r } = this;
        const count = r.chance(0.8) ? 1 : 2 + r.below(2);
        let text = Array.from({ length: count }, (_, i) => this.operation(i)).join('\n');
        if (this.bad()) text += `\nfragment ${r.pick(['F0', 'F1', 'Unused'])} on User {id${this.bad() ? ' ...F1' : ''}}`;
        if (this.bad() && r.chance(0.3)) text += `\n${r.pick(['type Foo {a: Int}', 'scalar Date', 'extend type User {x: Int}', 'schema {query: Query}'])}`;
        return text;
    }
}

export function document(seed) {
    const wrong = [0, 0.01, 0.03, 0.08][seed % 4];
    return new Generator(seed, wrong).document();
}

// A document with some bytes changed: mostly no longer GraphQL.
export function mangled(seed) {
    const r = random(seed ^ 0x5bd1e995);
    let text = document(seed);
    const pieces = ['{', '}', '(', ')', '[', ']', '!', '$', '@', ':', '=', '|', '&', '...', '..', '.', '"', '"""', '\\', '#', '\n', ' ', '-', '0', '1.', '.5', '1e', '00', 'on', 'fragment', 'query', 'extend', 'type', '\uFEFF', '\u0007', '\u{1F600}', 'é', "'", '"\\u{110000}"', '"\\uD800"', '"\\x"', '"\\u12"', '"doc"', '%', '?', 'a', 'null', 'true'];
    for (let i = 1 + r.below(2); i > 0; i--) {
        const at = r.below(text.length + 1);
        const kind = r.below(3);
        if (kind === 0) text = text.slice(0, at) + r.pick(pieces) + text.slice(at);
        else if (kind === 1) text = text.slice(0, at) + text.slice(at + 1 + r.below(5));
        else text = text.slice(0, at) + r.pick(pieces) + text.slice(at + 1);
    }
    return text.toWellFormed ? text.toWellFormed() : text;
}

// ---- schemas ----
class SchemaGenerator {
    constructor(seed, wrong) {
        this.r = random(seed);
        this.wrong = wrong;
        const { r } = this;
        const some = (prefix, n) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
        this.objects = ['Query', ...some('Obj', 1 + r.below(3))];
        this.interfaces = some('Int', r.below(3));
        this.unions = some('Uni', r.below(2));
        this.enums = some('Enu', 1 + r.below(2));
        this.inputs = some('Inp', 1 + r.below(3));
        this.scalars = some('Sca', r.below(2));
        this.parents = {};
        this.interfaces.forEach((name, i) => { this.parents[name] = i > 0 && r.chance(0.4) ? [this.interfaces[i - 1]] : []; });
    }

    bad() {
        return this.r.chance(this.wrong);
    }

    wrap(type, depth = 0) {
        const { r } = this;
        const choice = r.next();
        if (depth < 3 && choice < 0.2) return this.wrap(`[${this.bang(type)}]`, depth + 1);
        return this.bang(type);
    }

    bang(type) {
        return !type.endsWith('!') && this.r.chance(0.3) ? `${type}!` : type;
    }

    output() {
        const { r } = this;
        if (this.bad()) return r.pick(['Nope', ...this.inputs]);
        return this.wrap(r.pick(['Int', 'String', 'Float', 'Boolean', 'ID', ...this.objects, ...this.interfaces, ...this.unions, ...this.enums, ...this.scalars]));
    }

    inputType(nullable = false) {
        const { r } = this;
        if (this.bad()) return r.pick(['Nope', 'Query']);
        const type = r.pick(['Int', 'String', 'Float', 'Boolean', 'ID', ...this.inputs, ...this.enums, ...this.scalars]);
        return nullable ? type : this.wrap(type);
    }

    description(indent) {
        const { r } = this;
        if (!r.chance(0.3)) return '';
        return indent + r.pick(['"short"', '"with \\"quotes\\" and \\\\ and \\n new line"', '"""block"""', `"""\n${indent}two\n${indent}  lines\n${indent}"""`, '"é😀"', '""', '"ends with quote\\""', '"ends with slash\\\\"', '" leading"', '"tab\\t"', '"\\u0007"', '"a\\n\\nb"', '"a\\n b"', `"${'long '.repeat(16)}"`, '"""has \\""" inside"""']) + `\n${indent}`;
    }

    value(type, depth = 0) {
        const { r } = this;
        if (this.bad()) return r.pick(['1', '"x"', 'true', 'null', 'NOPE', '{a: 1}', '[1]', '1.5']);
        if (type.endsWith('!')) return this.value(type.slice(0, -1), depth);
        if (r.chance(0.1)) return 'null';
        if (type.startsWith('[')) return r.chance(0.2) ? this.value(type.slice(1, -1), depth) : `[${Array.from({ length: r.below(4) }, () => this.nonNull(type.slice(1, -1), depth)).join(', ')}]`;
        if (type.startsWith('Inp')) return depth > 1 ? '{}' : r.pick(['{}', `{f0: ${r.pick(['1', 'null', '"x"'])}}`]);
        if (type.startsWith('Enu')) return r.pick(['A0', 'A1']);
        if (type.startsWith('Sca')) return r.pick(['1', '"x"', '{ a: [1, {b: E}] }', '"""block\n  text"""', `["${'a'.repeat(30)}", "${'b'.repeat(30)}", {cccccccccccccccccccc: "${'d'.repeat(12)}"}]`]);
        return { Int: r.pick(['0', '-5', '2147483647']), String: r.pick(['"x"', '"\\n\\u00e9\\u0007"', '"""a"b"""', '"😀"']), Float: r.pick(['1', '1.50', '-2e5']), Boolean: 'true', ID: r.pick(['1', '"id"']) }[type] ?? '1';
    }

    nonNull(type, depth) {
        for (;;) {
            const value = this.value(type, depth + 1);
            if (value !== 'null' || !type.endsWith('!') || this.bad()) return value;
        }
    }

    input(name, indent, directives = '') {
        const { r } = this;
        const type = this.inputType();
        let text = `${this.description(indent)}${name}: ${type}`;
        const optional = !type.endsWith('!') || r.chance(0.3);
        if (optional && r.chance(0.4)) text += ` = ${this.nonNull(type, 0)}`;
        else if (type.endsWith('!')) return `${text}${directives}`;
        if (r.chance(0.1)) text += r.pick([' @deprecated', ' @deprecated(reason: "why \\"not\\"")', ' @deprecated(reason: "")']);
        return text + directives;
    }

    args(indent) {
        const { r } = this;
        if (!r.chance(0.4)) return '';
        const names = Array.from({ length: 1 + r.below(3) }, (_, i) => `a${this.bad() ? 0 : i}`);
        return `(${names.map((name) => this.input(name, indent + '  ')).join(r.pick([', ', '\n']))})`;
    }

    fields(own, extra) {
        const { r } = this;
        const names = [...new Set([...own, ...Array.from({ length: extra }, (_, i) => `f${i}`)])];
        if (this.bad()) names.push(r.pick(['f0', '__f', 'f1']));
        if (this.bad()) names.shift();
        return names.map((name) => {
            const fixed = /^i\d/.test(name);
            const type = fixed && !this.bad() ? 'Int' : this.output();
            return `${this.description('  ')}  ${name}${fixed && !this.bad() ? '' : this.args('  ')}: ${type}${!fixed && r.chance(0.1) ? ' @deprecated' : ''}`;
        }).join('\n');
    }

    implementing() {
        const { r } = this;
        const all = new Set();
        for (const name of this.interfaces) if (r.chance(0.4)) [name, ...this.closure(name)].forEach((n) => all.add(n));
        if (this.bad() && this.interfaces.length) all.add(r.pick(this.interfaces));
        if (this.bad()) all.add('Query');
        return [...all];
    }

    closure(name) {
        return (this.parents[name] ?? []).flatMap((parent) => [parent, ...this.closure(parent)]);
    }

    object(kind, name) {
        const interfaces = kind === 'interface' ? [...new Set(this.closure(name))] : this.implementing();
        const own = [...(kind === 'interface' ? [`i${name.slice(3)}`] : []), ...interfaces.flatMap((i) => [`i${i.slice(3)}`])];
        return `${this.description('')}${kind} ${name}${interfaces.length ? ` implements ${interfaces.join(' & ')}` : ''}${this.applied('OBJECT')} {\n${this.fields(own, kind === 'type' || this.bad() ? 1 + this.r.below(3) : 0)}\n}`;
    }

    applied(place) {
        const { r } = this;
        if (!r.chance(0.1)) return '';
        if (this.bad()) return r.pick([' @nope', ' @skip(if: true)', ' @note @note', ' @note(lvl: 1)', ' @must', ' @deprecated']);
        return place === 'OBJECT' ? r.pick([' @note', ' @note(level: 2)', ' @must(n: 1) @must(n: 2)']) : ' @note';
    }

    schema() {
        const { r } = this;
        const parts = [
            'directive @note(level: Int = 1) on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR | SCHEMA',
            `${this.description('')}directive @must(n: Int!) repeatable on OBJECT | INTERFACE | ENUM | SCALAR`,
            `${this.description('')}directive @gen${this.args('')} on FIELD | ${r.pick(['QUERY', 'MUTATION', 'ENUM_VALUE'])}`,
            ...this.interfaces.map((name) => this.object('interface', name)),
            ...this.objects.map((name) => this.object('type', name)),
            ...this.unions.map((name) => `${this.description('')}union ${name}${this.applied('UNION')} = ${r.chance(0.5) ? '| ' : ''}${[...new Set([r.pick(this.objects), r.pick(this.bad() ? [...this.enums, 'Nope'] : this.objects)])].join(' | ')}`),
            ...this.enums.map((name) => `${this.description('')}enum ${name}${this.applied('ENUM')} { A0 ${this.description('  ')} A1${r.chance(0.2) ? ' @deprecated(reason: "old")' : ''} ${this.bad() ? r.pick(['A0', '__A', 'A1 @note']) : ''}}`),
            ...this.inputs.map((name) => r.chance(0.2)
                ? `input ${name} @oneOf { f0: ${this.inputType(!this.bad())} f1: ${this.inputType(true)}${this.bad() ? ' = null' : ''} }`
                : `${this.description('')}input ${name}${this.applied('INPUT_OBJECT')} {\n${Array.from({ length: 1 + r.below(3) }, (_, i) => `  ${this.input(`f${this.bad() ? 0 : i}`, '  ')}`).join('\n')}\n}`),
            ...this.scalars.map((name) => `${this.description('')}scalar ${name}${r.chance(0.4) ? ' @specifiedBy(url: "https://x.y/z")' : ''}`),
        ];
        if (r.chance(0.3)) parts.push(r.pick(['extend type Query { late: Int }', 'extend enum Enu0 { B }', 'extend input Inp0 { late: Int }', 'extend type Query @note', 'extend type Obj0 { late: [Query!] }']));
        if (this.bad()) parts.push(r.pick(['extend type Nope { a: Int }', 'extend enum Query { A }', 'type Query { again: Int }', 'enum Enu0 { C }', 'extend type Query { f0: Int }', 'directive @note on FIELD', 'schema { query: Nope }', 'type Empty', 'input Bad { a: Bad! }', 'input Bad @oneOf { a: Bad }', 'input X { y: Y! } input Y { x: X! }', 'union None', 'scalar __S', 'input D { d: D = {} }']));
        if (r.chance(0.15)) parts.push(r.pick(['type Mutation { m: Int }', 'schema { query: Query mutation: Obj0 }', '"root" schema { query: Query }', 'schema @note { query: Query }', 'type Subscription { s: Query }']));
        for (let i = parts.length - 1; i > 0; i--) {
            const j = r.below(i + 1);
            [parts[i], parts[j]] = [parts[j], parts[i]];
        }
        return parts.join('\n');
    }
}

export function schema(seed) {
    const wrong = [0, 0.002, 0.008, 0.03][seed % 4];
    return new SchemaGenerator(seed, wrong).schema();
}
