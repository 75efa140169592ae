/* store/accounts/cognito_request.h: what a request to the user pool asks for: AWS's JSON 1.1
 * protocol, as the clients of Amazon Cognito speak it. Also the names of its errors. Pure. */
#ifndef PARLEY_STORE_ACCOUNTS_COGNITO_REQUEST_H
#define PARLEY_STORE_ACCOUNTS_COGNITO_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum {
    COGNITO_CHANGE_PASSWORD,
    COGNITO_CONFIRM_FORGOT_PASSWORD,
    COGNITO_CONFIRM_SIGN_UP,
    COGNITO_DELETE_USER,
    COGNITO_FORGOT_PASSWORD,
    COGNITO_GET_TOKENS_FROM_REFRESH_TOKEN,
    COGNITO_GET_USER,
    COGNITO_GET_USER_ATTRIBUTE_VERIFICATION_CODE,
    COGNITO_GLOBAL_SIGN_OUT,
    COGNITO_INITIATE_AUTH,
    COGNITO_RESEND_CONFIRMATION_CODE,
    COGNITO_RESPOND_TO_AUTH_CHALLENGE,
    COGNITO_REVOKE_TOKEN,
    COGNITO_SIGN_UP,
    COGNITO_UPDATE_USER_ATTRIBUTES,
    COGNITO_VERIFY_USER_ATTRIBUTE,
    COGNITO_OPERATIONS
} cognito_operation_t;

typedef enum {
    COGNITO_OK,
    COGNITO_CODE_MISMATCH,
    COGNITO_EXPIRED_CODE,
    COGNITO_INTERNAL_ERROR,
    COGNITO_INVALID_PARAMETER,
    COGNITO_INVALID_PASSWORD,
    COGNITO_LIMIT_EXCEEDED,
    COGNITO_NOT_AUTHORIZED,
    COGNITO_REFRESH_TOKEN_REUSE,
    COGNITO_RESOURCE_NOT_FOUND,
    COGNITO_SERIALIZATION,
    COGNITO_SERVICE_UNAVAILABLE,
    COGNITO_TOO_MANY_REQUESTS,
    COGNITO_UNKNOWN_OPERATION,
    COGNITO_UNSUPPORTED_TOKEN_TYPE,
    COGNITO_USERNAME_EXISTS,
    COGNITO_USER_NOT_CONFIRMED,
    COGNITO_USER_NOT_FOUND,
    COGNITO_ERRORS
} cognito_error_t;

/* "CodeMismatchException", and its HTTP status. */
const char *cognito_error_name(cognito_error_t error);
int cognito_error_status(cognito_error_t error);

/* "SignUp". */
const char *cognito_operation_name(cognito_operation_t operation);

enum { COGNITO_MESSAGE_SIZE = 512 };

/* Why a request is refused. */
typedef struct {
    cognito_error_t error;
    char message[COGNITO_MESSAGE_SIZE];
} cognito_refusal_t;

/* Fills it in and returns false. */
bool cognito_refuse(cognito_refusal_t *refusal, cognito_error_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef struct {
    cognito_operation_t operation;
    json_t *body; /* an object whose known members have their types; required strings are there and
                     not empty. To be freed with json_decref */
} cognito_request_t;

/* target: the header X-Amz-Target, may be NULL. False with *refusal if the request makes no
 * sense. */
bool cognito_request_read(const char *target,
                          const char *body,
                          size_t size,
                          cognito_request_t *request,
                          cognito_refusal_t *refusal);

/* A string member of a map; NULL if there is no map, no member, or another thing. */
const char *cognito_string(const json_t *map, const char *name);
const char *cognito_sized_string(const json_t *map, const char *name, size_t *size);

/* ---- attributes ---- */

enum { COGNITO_ATTRIBUTES_MAX = 50, COGNITO_ATTRIBUTE_BYTES_MAX = 2048 };

/* What [{"Name", "Value"}, …] says. */
typedef struct {
    json_t *others;    /* map of all but email; null: remove it. To be freed with json_decref */
    bool has_email;    /* email is named */
    const char *email; /* borrowed from the list; NULL: remove it */
} cognito_attributes_t;

/* list may be NULL. False with *refusal if one does not exist, may not be written, or breaks its
 * form. */
bool cognito_attributes_read(const json_t *list,
                             cognito_attributes_t *attributes,
                             cognito_refusal_t *refusal);

#endif
