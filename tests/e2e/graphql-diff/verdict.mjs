// graphql-js's verdict in the tool's form.
import { buildSchema, parse, printSchema, specifiedRules, validate, validateSchema } from 'graphql';

// Where the specification's text and graphql-js part, we follow the text: a nullable variable is refused in a field of
// a oneOf input object also when the argument's own type is non-null (5.8.5).
const isOneOfPosition = (message) => message.includes('must be non-nullable to be used for OneOf');

const places = (error) => (error.locations ?? []).map(({ line, column }) => [line, column]);

export function expected(schema, text) {
    let document;
    try {
        document = parse(text, { allowEmptySelectionSets: false });
    } catch (error) {
        return { syntax: true, errors: [{ rule: '', message: error.message, locations: places(error) }] };
    }
    const errors = specifiedRules.flatMap((rule) =>
        validate(schema, document, [rule], { maxErrors: 1000 })
            .filter((error) => !isOneOfPosition(error.message))
            .map((error) => ({ rule: rule.name.replace(/Rule$/, ''), message: error.message, locations: places(error) })));
    return { syntax: false, errors };
}

export function actual(answer) {
    const errors = answer.errors.filter((error) => !isOneOfPosition(error.message));
    return { syntax: errors.some((error) => error.code === 'GRAPHQL_PARSE_FAILED'), errors };
}

export const key = ({ rule, locations }) => `${rule} ${JSON.stringify(locations)}`;
// Two kinds of documents are refused for one reason and not looked at as closely as graphql-js does: type definitions
// among operations are not checked inside, and behind a fragment on a scalar graphql-js collects a selection set twice
// (once for the scalar, once for no type), so that it finds some conflicts within a circle of fragments twice.
export function keys({ errors }) {
    const has = (name) => errors.some(({ rule }) => rule === name);
    const counts = ({ rule }) => {
        if (has('ExecutableDefinitions')) return rule === 'ExecutableDefinitions';
        return !(has('FragmentsOnCompositeTypes') && rule === 'OverlappingFieldsCanBeMerged');
    };
    return errors.filter(counts).map(key).sort();
}

// Rules of section 3 that graphql-js does not know, and the one that we do not need: a system of services whose part
// has no query is still one.
export function expectedSchema(sdl) {
    try {
        const schema = buildSchema(sdl);
        const errors = validateSchema(schema);
        return errors.length ? { error: errors[0].message } : { error: null, print: printSchema(schema) };
    } catch (error) {
        return { error: error.message };
    }
}
