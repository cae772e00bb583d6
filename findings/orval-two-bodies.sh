#!/bin/sh
# orval 8.38.0, client fetch: an operation whose body is JSON or CSV becomes a function that sends an object as it is.
# It does not compile, though the document is valid; with JSON alone the object is written by JSON.stringify.
# Needs node and npm. Fails if orval does otherwise.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --silent orval@8.38.0 typescript@5.9.3 >/dev/null 2>&1
document() {
	cat <<JSON
{ "openapi": "3.0.3", "info": { "title": "Lists", "version": "1" }, "paths": { "/lists": { "post": {
  "operationId": "sendList", "responses": { "204": { "description": "Done." } },
  "requestBody": { "required": true, "content": { "application/json": { "schema": { "\$ref": "#/components/schemas/List" } }$1 } } } } },
  "components": { "schemas": { "List": { "type": "object", "required": ["items"],
    "properties": { "items": { "type": "array", "items": { "type": "string" } } } } } } }
JSON
}
document '' >one.json
document ', "text/csv": { "schema": { "type": "string", "format": "binary" } }' >two.json
for name in one two; do
	printf 'export default { a: { input: "%s.json", output: { target: "%s.ts", client: "fetch" } } };\n' "$name" "$name" >orval.config.mjs
	node_modules/.bin/orval --config orval.config.mjs >/dev/null 2>&1
done
echo "orval $(node_modules/.bin/orval --version)"
node_modules/.bin/tsc --strict --noEmit --lib es2023,dom,dom.iterable one.ts
echo 'JSON alone: compiles'
if out=$(node_modules/.bin/tsc --strict --noEmit --lib es2023,dom,dom.iterable two.ts); then
	echo 'JSON or CSV: compiles now' >&2
	exit 1
fi
echo "JSON or CSV: $out" | head -n 1
grep -n 'body: sendListBody$' two.ts
grep -n 'JSON.stringify' one.ts
