#!/usr/bin/python3
"""A service that says who may: python3 guarded.py ipc:///tmp/guarded.ipc   (speaks the bus as echo.py does)

It extends the store's Message, too, so that the rule holds where messages are delivered.
"""
import json, sys
import echo

echo.MANIFEST.update(name="guarded", instance="guarded-1", sdl="""
type Query {
  who: String
  staff: String @aws_auth(cognito_groups: ["staff"])
  member: String @aws_cognito_user_pools
  machine: String @aws_api_key
  either: String @aws_api_key @aws_cognito_user_pools(cognito_groups: ["staff"])
  partner: String @aws_oidc
  cloud: String @aws_iam
  vault: Vault
}
type Mutation { touch: Int @aws_auth(cognito_groups: ["staff"]) }
type Vault @aws_cognito_user_pools(cognito_groups: ["staff"]) {
  code: Int
  label: String @aws_api_key @aws_cognito_user_pools
}
extend type Message { note: String @resolve(needs: ["messageId"]) @aws_auth(cognito_groups: ["staff"]) }
""")
touched = 0


def touch(args, identity):
    global touched
    touched += 1
    return touched


echo.FIELDS.clear()
echo.FIELDS.update({f"Query.{name}": lambda args, identity, name=name: name
                    for name in ("staff", "member", "machine", "either", "partner", "cloud")})
echo.FIELDS.update({
    "Query.who": lambda args, identity: json.dumps(identity),
    "Query.vault": lambda args, identity: {"code": 7, "label": "gold"},
    "Mutation.touch": touch,
    "Message.note": lambda args, identity: [f"by {identity['handle']}" for _ in args["parents"]],
})

if __name__ == "__main__":
    echo.main(sys.argv[1])
