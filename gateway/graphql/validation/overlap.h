/* gateway/graphql/validation/overlap.h: fields that end up under one response name must be the same
 * field (GraphQL 2025-09 5.3.2). Two ways to the same verdict, both private to this folder:
 * overlap.c merges whole sets, as S. Adameit's algorithm does: nearly linear in the fields of a
 * document, but it only knows that there is a conflict. overlap_pairs.c compares pairs of sets as
 * graphql-js does and so finds the same conflicts with the same places; it runs only when there is
 * something to report. */
#ifndef PARLEY_GATEWAY_GRAPHQL_VALIDATION_OVERLAP_H
#define PARLEY_GATEWAY_GRAPHQL_VALIDATION_OVERLAP_H

#include "gateway/graphql/validation/context.h"

/* Arguments that would give the same value, in any order. Every look at one takes a step from the
 * validation's budget; true when that is used up (then an error is there). */
bool overlap_same_arguments(validation_t *validation, const ast_field_t *a, const ast_field_t *b);

/* Can values of these two types not stand in the same place (5.3.2 SameResponseShape)? */
bool overlap_types_conflict(const schema_ref_t *a, const schema_ref_t *b);

/* The field as far as merging looks at it; NULL if unknown. graphql-js gives meta fields no
 * definition here. */
static inline const schema_field_t *overlap_definition(const ast_field_t *field)
{
    const schema_field_t *definition = field->definition;
    return definition && definition->kind == SCHEMA_FIELD_PLAIN ? definition : NULL;
}

/* Adds an error for each conflict. True if there is none, or no more work may be spent on finding
 * it. */
bool overlap_report_pairs(validation_t *validation);

#endif
