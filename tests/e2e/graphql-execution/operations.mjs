// Valid operations over the schema below, with variables that are mostly right.
import {
    buildSchema, doTypesOverlap, getNamedType, isCompositeType, isEnumType, isInputObjectType, isLeafType, isListType,
    isNonNullType, isRequiredArgument, isRequiredInputField, isUnionType, parseType, typeFromAST,
} from 'graphql';

export const SDL = `
directive @x on FIELD
interface Node { id: ID! kids: [Node] }
interface Named implements Node { id: ID! kids: [Node] name: String! }
enum Color { RED GREEN BLUE }
scalar Any
input Point { x: Int! y: Float = 1.5 c: Color = RED tags: [String!] in: Point any: Any }
input One @oneOf { a: Int b: String p: Point }
type Dog implements Named & Node {
  id: ID! kids: [Node] name: String! age: Int color: Color! friend: Pet friends: [Pet!]! good: Boolean! w: Float any: Any m: [[Int!]]!
}
type Cat implements Node { id: ID! kids: [Node] nick: String age: Int! color: Color friend: Named pets: [[Pet]!] f: Float! }
union Pet = Dog | Cat
type Query {
  dog(id: ID!, n: Int = 3): Dog
  cat(p: Point, o: One): Cat!
  pet(cs: [Color!] = [RED], any: Any): Pet
  pets(first: Int, pts: [[Point]]): [Pet!]
  nodes(f: Float = 2, s: String = "a\\n\\"b", b: Boolean!): [Node]!
  named(ids: [ID]): Named!
  i: Int s: String! f: Float b: Boolean id: ID c: Color li: [Int!] ln: [Int]! lln: [[String]]
}
type Mutation { dog(id: ID!, n: Int = 3): Dog cat(p: Point, o: One): Cat! i: Int s: String! }
`;

export const schema = buildSchema(SDL);

const MAX_DEPTH = 6;

const literals = {
    Int: (random) => String(random.below(100) - 50),
    Float: (random) => random.pick(['1.5', '2', '-1e3', '0.0']),
    String: (random) => random.pick(['"a"', '""', '"q\\"\\u00e9"', '"""b\n  c"""']),
    Boolean: (random) => random.pick(['true', 'false']),
    ID: (random) => random.pick(['"x"', '5', '"007"']),
    Any: (random) => random.pick(['{a: 1, b: [RED, "x"]}', '5', '"s"', 'BLUE', '[1, {z: null}]']),
};

const values = {
    Int: (random) => (random.chance(0.1) ? random.pick([1.5, 3e9, '1']) : random.below(100)),
    Float: (random) => random.pick([1.5, 2, -1, 1e21]),
    String: (random) => (random.chance(0.1) ? 5 : random.pick(['a', 'é"', ''])),
    Boolean: (random) => random.chance(0.5),
    ID: (random) => random.pick(['x', 5, 1.5, 7]),
    Any: (random) => random.pick([{ a: [1.5, { b: null }] }, 5, 'x', [true]]),
};

export class Operation {
    constructor(random) {
        this.random = random;
        this.definitions = new Map(); // variables: name → { type, default }
        this.fragments = [];
        this.aliases = 0;
        this.root = random.chance(0.2) ? schema.getMutationType() : schema.getQueryType();
        let body = this.selection(this.root, 0);
        // the same selection twice merges field by field
        if (random.chance(0.3))
            body = `{ ... ${this.condition()} ${body} ... on ${this.root.name} ${this.condition()} ${body} __typename }`;
        const kind = this.root === schema.getQueryType() ? 'query' : 'mutation';
        const variables = [...this.definitions].map(([name, { type, initial }]) => `$${name}: ${type}${initial ? ` = ${initial}` : ''}`);
        this.document = `${kind} Q${variables.length ? `(${variables.join(' ')})` : ''} ${body}\n${this.fragments.join('\n')}\n`;
    }

    variables() {
        const result = {};
        for (const [name, { type }] of this.definitions)
            if (!this.random.chance(0.1)) result[name] = this.value(typeFromAST(schema, parseType(type)));
        return result;
    }

    variable(type) {
        const name = `v${this.definitions.size}`;
        const text = `${type}${this.random.chance(0.2) && !isNonNullType(type) ? '!' : ''}`;
        this.definitions.set(name, { type: text, initial: this.random.chance(0.3) ? this.literal(type, false, text.endsWith('!')) : null });
        return `$${name}`;
    }

    literal(type, variables, nonNull = false) {
        const { random } = this;
        if (variables && random.chance(0.3)) return this.variable(type);
        if (isNonNullType(type)) return this.literal(type.ofType, false, true);
        if (!nonNull && random.chance(0.1)) return 'null';
        if (isListType(type))
            return random.chance(0.2) ? this.literal(type.ofType, false, true) : `[${random.list(3, () => this.literal(type.ofType, variables)).join(', ')}]`;
        if (isEnumType(type)) return random.pick(type.getValues()).name;
        if (!isInputObjectType(type)) return literals[type.name](random);
        const fields = Object.values(type.getFields());
        if (type.isOneOf) {
            const field = random.pick(fields);
            return `{${field.name}: ${this.literal(field.type, false, true)}}`;
        }
        const given = fields.filter((field) => isRequiredInputField(field) || random.chance(0.4));
        return `{${given.map((field) => `${field.name}: ${this.literal(field.type, variables)}`).join(', ')}}`;
    }

    value(type) {
        const { random } = this;
        if (random.chance(0.03)) return random.pick([null, 'bad', 1.5, {}, [null], true]);
        if (isNonNullType(type)) return this.value(type.ofType);
        if (random.chance(0.1)) return null;
        if (isListType(type)) return random.chance(0.2) ? this.value(type.ofType) : random.list(3, () => this.value(type.ofType));
        if (isEnumType(type)) return random.chance(0.1) ? random.pick(['PINK', 'REDD', 'GREN', 5]) : random.pick(type.getValues()).name;
        if (!isInputObjectType(type)) return values[type.name](random);
        const fields = Object.values(type.getFields());
        if (type.isOneOf && random.chance(0.9)) {
            const field = random.pick(fields);
            return { [field.name]: this.value(field.type) };
        }
        const result = {};
        for (const field of fields)
            if (random.chance(isRequiredInputField(field) ? 0.95 : 0.4)) result[field.name] = this.value(field.type);
        if (random.chance(0.06)) result[random.pick(['tag', 'xx', 'zzz'])] = 1;
        return result;
    }

    condition() {
        const { random } = this;
        if (random.chance(0.85)) return '';
        const name = `k${random.below(3)}`;
        const constant = random.chance(0.4);
        if (!constant) this.definitions.set(name, { type: 'Boolean!' });
        return `${random.pick(['@skip', '@include'])}(if: ${constant ? random.pick(['true', 'false']) : `$${name}`})`;
    }

    fragment(type, depth) {
        const { random } = this;
        const near = ['Dog', 'Cat', 'Node', 'Named', 'Pet', type.name].map((name) => schema.getType(name));
        const condition = random.pick(near.filter((other) => isCompositeType(other) && doTypesOverlap(schema, other, type)));
        if (random.chance(0.5)) {
            const on = condition === type && random.chance(0.2) ? '' : `on ${condition.name}`;
            return `... ${on} ${this.condition()} ${this.selection(condition, depth + 1)}`;
        }
        const name = `F${this.fragments.length}`;
        const place = this.fragments.push('') - 1;
        this.fragments[place] = `fragment ${name} on ${condition.name} ${this.selection(condition, depth + 1)}`;
        return `...${name} ${this.condition()}`;
    }

    field(type, depth) {
        const { random } = this;
        const fields = Object.values(type.getFields()).filter((field) => depth < MAX_DEPTH || isLeafType(getNamedType(field.type)));
        const field = random.pick(fields);
        const named = getNamedType(field.type);
        const args = field.args.filter((arg) => isRequiredArgument(arg) || random.chance(0.5)).map((arg) => `${arg.name}: ${this.literal(arg.type, true)}`);
        // an alias of its own wherever two fields could clash
        const alias = args.length || !isLeafType(named) || random.chance(0.3) ? `a${this.aliases++}: ` : '';
        const below = isLeafType(named) ? '' : this.selection(named, depth + 1);
        return `${alias}${field.name}${args.length ? `(${args.join(' ')})` : ''} ${this.condition()} ${below}`;
    }

    selection(type, depth) {
        const { random } = this;
        const parts = Array.from({ length: 1 + random.below(4) }, () => {
            const share = random.next();
            if (share < 0.12) return '__typename';
            if (share < 0.3 && depth < MAX_DEPTH) return this.fragment(type, depth);
            return isUnionType(type) ? '__typename' : this.field(type, depth);
        });
        return `{ ${parts.join(' ')} }`;
    }
}
