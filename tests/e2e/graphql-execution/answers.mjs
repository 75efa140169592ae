// What services answer: mostly what the schema promises, and now and then not.
import { isAbstractType, isEnumType, isListType, isNonNullType, isScalarType } from 'graphql';

const MAX_DEPTH = 5;

const good = {
    Int: (random) => random.below(1000) - 500,
    Float: (random) => random.pick([1.5, 2, -0.25, 1e21, 1e-7]),
    String: (random) => random.pick(['', 'a"b\\c\n', '\u2028é😀', 'plain', 'long '.repeat(20)]),
    Boolean: (random) => random.chance(0.5),
    ID: (random) => random.pick(['a', 5, 'b-1', 12345678901]),
    Any: (random) => random.pick([{ x: [1, { y: null }] }, 's', 5, [1, [2]], true]),
};

const odd = {
    Int: [1.5, 'x', 3000000000, [], { a: 1 }, true, '12', 5.0, 1e3],
    Float: ['x', [1], false, '1e3'],
    String: [12, true, ['a'], { a: { b: { c: { d: 1 } } } }, 1.5, 1e21],
    Boolean: [0, 2, 'true', null],
    ID: [1.5, true, {}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
    Any: [null],
};

function object(random, schema, type, depth) {
    const runtime = isAbstractType(type) ? random.pick(schema.getPossibleTypes(type)) : type;
    const name = random.chance(0.03) ? random.pick(['Dog', 'Cat', 'Nope', 'Pet']) : runtime.name;
    const fields = Object.values(runtime.getFields());
    const result = {};
    if (random.chance(0.3)) result.extra = { deep: [1, { x: '}' }] };
    const typeFirst = random.chance(0.5);
    if (typeFirst) result.__typename = name;
    for (const field of random.chance(0.3) ? random.shuffle(fields) : fields)
        if (!random.chance(0.03)) result[field.name] = value(random, schema, field.type, depth + 1);
    if (!typeFirst) result.__typename = name;
    return result;
}

function value(random, schema, type, depth) {
    if (isNonNullType(type)) return random.chance(0.03) ? null : value(random, schema, type.ofType, depth);
    if (random.chance(0.08)) return null;
    if (isListType(type)) {
        if (random.chance(0.02)) return random.pick([5, 's']);
        return depth > MAX_DEPTH ? [] : random.list(4, () => value(random, schema, type.ofType, depth + 1));
    }
    if (isEnumType(type)) return random.chance(0.05) ? random.pick(['PINK', 'a"b', 5]) : random.pick(type.getValues()).name;
    if (isScalarType(type)) return random.chance(0.06) ? random.pick(odd[type.name]) : good[type.name](random);
    return depth > MAX_DEPTH ? null : object(random, schema, type, depth);
}

// By field: { 'Query.dog': … }; an answer may be { $error: { code, message } }.
export function answers(random, schema, root) {
    const result = {};
    for (const field of Object.values(root.getFields()))
        result[`${root.name}.${field.name}`] = random.chance(0.05)
            ? { $error: { code: 'FORBIDDEN', message: 'no' } }
            : value(random, schema, field.type, 0);
    return result;
}
