/* gateway/graphql/validation/rules.h: the rules of GraphQL 2025-09 5, one function each, called by
 * walk.c in the order of graphql-js. They only add errors. Private to this folder. */
#ifndef PARLEY_GATEWAY_GRAPHQL_VALIDATION_RULES_H
#define PARLEY_GATEWAY_GRAPHQL_VALIDATION_RULES_H

#include "gateway/graphql/validation/context.h"

/* rules_operations.c */
void rule_executable_definitions(validation_t *self,
                                 const ast_definition_t *definition); /* 5.1.1 */
void rule_known_operation_types(validation_t *self,
                                const ast_definition_t *operation); /* 5.2.1.1 */
void rule_unique_operation_names(validation_t *self);               /* 5.2.2.1 */
void rule_lone_anonymous_operation(validation_t *self);             /* 5.2.3.1 */
void rule_single_field_subscriptions(validation_t *self,
                                     const ast_definition_t *operation); /* 5.2.4.1 */

/* rules_fields.c; the field's parent type may be unknown (NULL) */
void rule_fields_on_correct_type(validation_t *self,
                                 const ast_selection_t *field,
                                 const schema_type_t *parent);            /* 5.3.1 */
void rule_scalar_leafs(validation_t *self, const ast_selection_t *field); /* 5.3.3 */
void rule_max_introspection_depth(validation_t *self, const ast_selection_t *field);
void rule_no_introspection(validation_t *self, const ast_selection_t *field);

/* overlap.c */
void rule_overlapping_fields_can_be_merged(validation_t *self); /* 5.3.2 */

/* rules_arguments.c; definitions of arguments are those of a field or of a directive */
void rule_known_field_argument(validation_t *self,
                               const ast_selection_t *field,
                               const ast_argument_t *argument); /* 5.4.1 */
void rule_known_directive_arguments(validation_t *self, const ast_directive_t *directive);
void rule_unique_argument_names(validation_t *self,
                                const ast_argument_t *arguments,
                                uint32_t count);                                         /* 5.4.2 */
void rule_provided_required_arguments(validation_t *self, const ast_selection_t *field); /* 5.4.3 */
void rule_provided_required_directive_arguments(validation_t *self,
                                                const ast_directive_t *directive);

/* rules_fragments.c */
void rule_unique_fragment_names(validation_t *self);                              /* 5.5.1.1 */
void rule_known_type_name(validation_t *self, const name_t *name, ast_loc_t loc); /* 5.5.1.2 */
void rule_fragments_on_composite_types(validation_t *self,
                                       const ast_named_t *condition,
                                       const name_t *fragment); /* 5.5.1.3; NULL: inline */
void rule_no_unused_fragments(validation_t *self);              /* 5.5.1.4 */
void rule_known_fragment_name(validation_t *self, const ast_selection_t *spread); /* 5.5.2.1 */
void rule_no_fragment_cycles(validation_t *self);                                 /* 5.5.2.2 */
void rule_possible_fragment_spreads(validation_t *self,
                                    const ast_selection_t *selection,
                                    const schema_type_t *parent); /* 5.5.2.3 */

/* rules_values.c */
void rule_values_of_correct_type(validation_t *self,
                                 const ast_value_t *value,
                                 const schema_ref_t *type); /* 5.6.1, .2, .4, .5 */
void rule_unique_input_field_names(validation_t *self, const ast_value_t *value); /* 5.6.3 */

/* rules_directives.c */
void rule_known_directive(validation_t *self,
                          const ast_directive_t *directive,
                          schema_location_t location); /* 5.7.1, 5.7.2 */
void rule_unique_directives_per_location(validation_t *self,
                                         const ast_directives_t *directives); /* 5.7.3 */

/* rules_variables.c */
void rule_unique_variable_names(validation_t *self, const ast_definition_t *operation);  /* 5.8.1 */
void rule_variables_are_input_types(validation_t *self, const ast_variable_t *variable); /* 5.8.2 */
/* 5.8.3, 5.8.4, 5.8.5: they look at the same uses, through fragments */
void rule_variable_uses(validation_t *self, const ast_definition_t *operation);

#endif
