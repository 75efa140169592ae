#include "store/accounts/cognito_request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/accounts/account_rules.h"

#define TARGET_PREFIX "AWSCognitoIdentityProviderService."

/* ---- names ---- */

static const struct {
    const char *name;
    int status;
} s_errors[COGNITO_ERRORS] = {
    [COGNITO_OK] = {"", 200},
    [COGNITO_CODE_MISMATCH] = {"CodeMismatchException", 400},
    [COGNITO_EXPIRED_CODE] = {"ExpiredCodeException", 400},
    [COGNITO_INTERNAL_ERROR] = {"InternalErrorException", 500},
    [COGNITO_INVALID_PARAMETER] = {"InvalidParameterException", 400},
    [COGNITO_INVALID_PASSWORD] = {"InvalidPasswordException", 400},
    [COGNITO_LIMIT_EXCEEDED] = {"LimitExceededException", 400},
    [COGNITO_NOT_AUTHORIZED] = {"NotAuthorizedException", 400},
    [COGNITO_REFRESH_TOKEN_REUSE] = {"RefreshTokenReuseException", 400},
    [COGNITO_RESOURCE_NOT_FOUND] = {"ResourceNotFoundException", 400},
    [COGNITO_SERIALIZATION] = {"SerializationException", 400},
    [COGNITO_SERVICE_UNAVAILABLE] = {"ServiceUnavailableException", 503},
    [COGNITO_TOO_MANY_REQUESTS] = {"TooManyRequestsException", 429},
    [COGNITO_UNKNOWN_OPERATION] = {"UnknownOperationException", 400},
    [COGNITO_UNSUPPORTED_TOKEN_TYPE] = {"UnsupportedTokenTypeException", 400},
    [COGNITO_USERNAME_EXISTS] = {"UsernameExistsException", 400},
    [COGNITO_USER_NOT_CONFIRMED] = {"UserNotConfirmedException", 400},
    [COGNITO_USER_NOT_FOUND] = {"UserNotFoundException", 400},
};

const char *cognito_error_name(cognito_error_t error)
{
    return s_errors[error].name;
}

int cognito_error_status(cognito_error_t error)
{
    return s_errors[error].status;
}

bool cognito_refuse(cognito_refusal_t *refusal, cognito_error_t error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(refusal->message, sizeof refusal->message, format, args);
    va_end(args);
    refusal->error = error;
    return false;
}

/* ---- operations ---- */

typedef enum { MEMBER_REQUIRED, MEMBER_TEXT, MEMBER_MAP, MEMBER_LIST } member_kind_t;

typedef struct {
    const char *name;
    member_kind_t kind; /* MEMBER_REQUIRED: a string that is there and not empty */
} member_t;

enum { MEMBERS_MAX = 6 };

static const struct {
    const char *name;
    member_t members[MEMBERS_MAX];
} s_operations[COGNITO_OPERATIONS] = {
    [COGNITO_CHANGE_PASSWORD] = {"ChangePassword",
                                 {{"AccessToken", MEMBER_REQUIRED},
                                  {"PreviousPassword", MEMBER_REQUIRED},
                                  {"ProposedPassword", MEMBER_REQUIRED}}},
    [COGNITO_CONFIRM_FORGOT_PASSWORD] = {"ConfirmForgotPassword",
                                         {{"ClientId", MEMBER_REQUIRED},
                                          {"Username", MEMBER_REQUIRED},
                                          {"ConfirmationCode", MEMBER_REQUIRED},
                                          {"Password", MEMBER_REQUIRED}}},
    [COGNITO_CONFIRM_SIGN_UP] = {"ConfirmSignUp",
                                 {{"ClientId", MEMBER_REQUIRED},
                                  {"Username", MEMBER_REQUIRED},
                                  {"ConfirmationCode", MEMBER_REQUIRED}}},
    [COGNITO_DELETE_USER] = {"DeleteUser", {{"AccessToken", MEMBER_REQUIRED}}},
    [COGNITO_FORGOT_PASSWORD] = {"ForgotPassword",
                                 {{"ClientId", MEMBER_REQUIRED}, {"Username", MEMBER_REQUIRED}}},
    [COGNITO_GET_TOKENS_FROM_REFRESH_TOKEN] = {"GetTokensFromRefreshToken",
                                               {{"ClientId", MEMBER_REQUIRED},
                                                {"RefreshToken", MEMBER_REQUIRED}}},
    [COGNITO_GET_USER] = {"GetUser", {{"AccessToken", MEMBER_REQUIRED}}},
    [COGNITO_GET_USER_ATTRIBUTE_VERIFICATION_CODE] = {"GetUserAttributeVerificationCode",
                                                      {{"AccessToken", MEMBER_REQUIRED},
                                                       {"AttributeName", MEMBER_REQUIRED}}},
    [COGNITO_GLOBAL_SIGN_OUT] = {"GlobalSignOut", {{"AccessToken", MEMBER_REQUIRED}}},
    [COGNITO_INITIATE_AUTH] = {"InitiateAuth",
                               {{"ClientId", MEMBER_REQUIRED},
                                {"AuthFlow", MEMBER_REQUIRED},
                                {"AuthParameters", MEMBER_MAP}}},
    [COGNITO_RESEND_CONFIRMATION_CODE] = {"ResendConfirmationCode",
                                          {{"ClientId", MEMBER_REQUIRED},
                                           {"Username", MEMBER_REQUIRED}}},
    [COGNITO_RESPOND_TO_AUTH_CHALLENGE] = {"RespondToAuthChallenge",
                                           {{"ClientId", MEMBER_REQUIRED},
                                            {"ChallengeName", MEMBER_REQUIRED},
                                            {"ChallengeResponses", MEMBER_MAP}}},
    [COGNITO_REVOKE_TOKEN] = {"RevokeToken",
                              {{"ClientId", MEMBER_REQUIRED}, {"Token", MEMBER_REQUIRED}}},
    [COGNITO_SIGN_UP] = {"SignUp",
                         {{"ClientId", MEMBER_REQUIRED},
                          {"Username", MEMBER_REQUIRED},
                          {"Password", MEMBER_TEXT}, /* an empty one is a bad password */
                          {"UserAttributes", MEMBER_LIST}}},
    [COGNITO_UPDATE_USER_ATTRIBUTES] = {"UpdateUserAttributes",
                                        {{"AccessToken", MEMBER_REQUIRED},
                                         {"UserAttributes", MEMBER_LIST}}},
    [COGNITO_VERIFY_USER_ATTRIBUTE] = {"VerifyUserAttribute",
                                       {{"AccessToken", MEMBER_REQUIRED},
                                        {"AttributeName", MEMBER_REQUIRED},
                                        {"Code", MEMBER_REQUIRED}}},
};

const char *cognito_operation_name(cognito_operation_t operation)
{
    return s_operations[operation].name;
}

/* The operation, or COGNITO_OPERATIONS. */
static cognito_operation_t s_find(const char *target)
{
    size_t prefix = sizeof TARGET_PREFIX - 1;
    cognito_operation_t operation = 0;
    if (!target || strncmp(target, TARGET_PREFIX, prefix) != 0)
        return COGNITO_OPERATIONS;
    while (operation < COGNITO_OPERATIONS &&
           strcmp(s_operations[operation].name, target + prefix) != 0)
        operation++;
    return operation;
}

const char *cognito_sized_string(const json_t *map, const char *name, size_t *size)
{
    const json_t *value = json_object_get(map, name);
    *size = json_string_length(value);
    return json_string_value(value);
}

const char *cognito_string(const json_t *map, const char *name)
{
    return json_string_value(json_object_get(map, name));
}

/* Absent and null are the same. No string holds a NUL: the body was read without them. */
static bool s_check_member(const json_t *body, const member_t *member, cognito_refusal_t *refusal)
{
    const json_t *value = json_object_get(body, member->name);
    bool is_absent = !value || json_is_null(value);
    if (is_absent && member->kind == MEMBER_REQUIRED)
        return cognito_refuse(refusal, COGNITO_INVALID_PARAMETER, "Missing required parameter %s",
                              member->name);
    if (is_absent)
        return true;
    if (member->kind == MEMBER_MAP && !json_is_object(value))
        return cognito_refuse(refusal, COGNITO_SERIALIZATION, "%s must be a map", member->name);
    if (member->kind == MEMBER_LIST && !json_is_array(value))
        return cognito_refuse(refusal, COGNITO_SERIALIZATION, "%s must be a list", member->name);
    if (member->kind <= MEMBER_TEXT && !json_is_string(value))
        return cognito_refuse(refusal, COGNITO_SERIALIZATION, "%s must be a string", member->name);
    if (member->kind == MEMBER_REQUIRED && json_string_length(value) == 0)
        return cognito_refuse(refusal, COGNITO_INVALID_PARAMETER, "%s must not be empty",
                              member->name);
    return true;
}

bool cognito_request_read(const char *target,
                          const char *body,
                          size_t size,
                          cognito_request_t *request,
                          cognito_refusal_t *refusal)
{
    request->body = NULL;
    request->operation = s_find(target);
    if (request->operation == COGNITO_OPERATIONS)
        return cognito_refuse(refusal, COGNITO_UNKNOWN_OPERATION,
                              "X-Amz-Target names no operation of this user pool");
    request->body = json_loadb(body, size, 0, NULL);
    bool ok = json_is_object(request->body);
    if (!ok)
        cognito_refuse(refusal, COGNITO_SERIALIZATION, "the body must be a JSON object");
    const member_t *members = s_operations[request->operation].members;
    for (size_t i = 0; ok && i < MEMBERS_MAX && members[i].name; i++)
        ok = s_check_member(request->body, &members[i], refusal);
    if (!ok) {
        json_decref(request->body);
        request->body = NULL;
    }
    return ok;
}

/* ---- attributes ---- */

/* OpenID Connect Core 5.1, but for those that a user may not say of himself. */
static const char *const s_attributes[] = {
    "address",     "birthdate",  "family_name", "gender",       "given_name", "locale",
    "middle_name", "name",       "nickname",    "phone_number", "picture",    "preferred_username",
    "profile",     "updated_at", "website",     "zoneinfo"};
static const char *const s_unwritable[] = {"sub", "email_verified", "phone_number_verified"};

static bool s_is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(name, names) s_is_one_of(name, names, sizeof(names) / sizeof(names)[0])

/* May it be quoted in an error? Anything else could be cut inside a character. */
static bool s_is_plain(const char *text)
{
    size_t size = 0;
    while (text[size] > ' ' && text[size] <= '~')
        size++;
    return text[size] == '\0' && size <= 40;
}

static bool s_is_custom(const char *name)
{
    size_t size = strlen(name);
    return strncmp(name, "custom:", 7) == 0 && size > 7 && size <= 7 + 20 && s_is_plain(name);
}

/* E.164: + and up to 15 digits. */
static bool s_is_phone_number(const char *value)
{
    size_t digits = *value == '+' ? strspn(value + 1, "0123456789") : 0;
    return digits >= 1 && digits <= 15 && value[1 + digits] == '\0';
}

static bool s_check_value(const char *name, const char *value, cognito_refusal_t *refusal)
{
    err_t err = ERR_INIT;
    if (strlen(value) > COGNITO_ATTRIBUTE_BYTES_MAX)
        return cognito_refuse(refusal, COGNITO_INVALID_PARAMETER,
                              "Attribute value of %s is too long", name);
    if (strcmp(name, "email") == 0 && account_check_email(value, strlen(value), &err) != ERR_OK)
        return cognito_refuse(refusal, COGNITO_INVALID_PARAMETER, "Invalid email address format.");
    if (strcmp(name, "phone_number") == 0 && !s_is_phone_number(value))
        return cognito_refuse(refusal, COGNITO_INVALID_PARAMETER, "Invalid phone number format.");
    return true;
}

static bool s_check_name(const char *name, cognito_refusal_t *refusal)
{
    if (IS_ONE_OF(name, s_unwritable))
        return cognito_refuse(refusal, COGNITO_NOT_AUTHORIZED,
                              "A client attempted to write unauthorized attribute");
    if (strcmp(name, "email") == 0 || IS_ONE_OF(name, s_attributes) || s_is_custom(name))
        return true;
    return cognito_refuse(
        refusal, COGNITO_INVALID_PARAMETER,
        "Attributes did not conform to the schema: %s: Attribute does not exist in schema.",
        s_is_plain(name) ? name : "?");
}

/* An empty value removes the attribute. */
static bool
s_read_one(const json_t *item, cognito_attributes_t *attributes, cognito_refusal_t *refusal)
{
    const char *name = cognito_string(item, "Name");
    const json_t *value = json_object_get(item, "Value");
    const char *text = json_string_value(value);
    if (!name || (value && !text && !json_is_null(value)))
        return cognito_refuse(refusal, COGNITO_SERIALIZATION,
                              "an attribute must have a Name and a Value, both strings");
    if (text && !*text)
        text = NULL;
    if (!s_check_name(name, refusal) || (text && !s_check_value(name, text, refusal)))
        return false;
    if (strcmp(name, "email") == 0) {
        attributes->has_email = true;
        attributes->email = text;
    } else {
        json_object_set_new(attributes->others, name, text ? json_string(text) : json_null());
    }
    return true;
}

bool cognito_attributes_read(const json_t *list,
                             cognito_attributes_t *attributes,
                             cognito_refusal_t *refusal)
{
    *attributes = (cognito_attributes_t){.others = json_object()};
    size_t count = json_array_size(list);
    bool ok = count <= COGNITO_ATTRIBUTES_MAX ||
              cognito_refuse(refusal, COGNITO_INVALID_PARAMETER, "more than %d attributes",
                             COGNITO_ATTRIBUTES_MAX);
    for (size_t i = 0; ok && i < count; i++)
        ok = s_read_one(json_array_get(list, i), attributes, refusal);
    if (!ok) {
        json_decref(attributes->others);
        attributes->others = NULL;
    }
    return ok;
}
