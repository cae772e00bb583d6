#!/bin/sh
# An object of any members, written as `type: object` alone: JSON Schema and OpenAPI 3.0 say that it may have members.
# ogen 1.25.0 makes an empty struct of it, which drops what is put in without a word; openapi-typescript 7.13.0 makes
# Record<string, never>, which takes nothing. Both take members once `additionalProperties: true` says so.
# Needs go, node and npm. Fails if either does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
document() {
	cat <<JSON
{ "openapi": "3.0.3", "info": { "title": "Things", "version": "1" }, "paths": { "/things": { "post": {
  "operationId": "sendThing", "responses": { "204": { "description": "Done." } },
  "requestBody": { "required": true, "content": { "application/json": { "schema": { "\$ref": "#/components/schemas/Thing" } } } } } } },
  "components": { "schemas": { "Thing": { "type": "object", "required": ["content"],
    "properties": { "content": { "type": "object"$1 } } } } } }
JSON
}
document '' >silent.json
document ', "additionalProperties": true' >told.json
printf 'module free\n\ngo 1.26\n' >go.mod
go get -tool github.com/ogen-go/ogen/cmd/ogen@v1.25.0 >/dev/null 2>&1
echo "ogen $(go list -m -f '{{.Version}}' github.com/ogen-go/ogen)"
for name in silent told; do
	go tool ogen --target "$name" --package "$name" "$name.json" >/dev/null 2>&1
	printf '%s: ' "$name"
	grep -h '^type ThingContent ' "$name"/oas_schemas_gen.go
done
grep -q '^type ThingContent struct{}' silent/oas_schemas_gen.go
grep -q '^type ThingContent map\[string\]jx.Raw' told/oas_schemas_gen.go
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --silent openapi-typescript@7.13.0 typescript@5.9.3 >/dev/null 2>&1
node_modules/.bin/openapi-typescript --version
for name in silent told; do
	node_modules/.bin/openapi-typescript "$name.json" --output "$name.ts" >/dev/null 2>&1
	printf '%s: ' "$name"
	sed -n '/content: {$/,/};/p; /content: Record/p' "$name.ts" | head -n 3 | tr -d '\n'
	echo
done
grep -q 'content: Record<string, never>' silent.ts
grep -q '\[key: string\]: unknown' told.ts
