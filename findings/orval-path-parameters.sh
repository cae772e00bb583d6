#!/bin/sh
# A path parameter with reserved characters, such as "a/b?c". OpenAPI 3.0 has the value percent-encoded (style simple,
# RFC 6570), and openapi-fetch 0.17.0 and @hey-api/openapi-ts 0.99.0 do so. orval 8.38.0, client fetch, puts it in as it
# is: the request goes to another path, without a word. `urlEncodeParameters: true` mends it.
# Needs node and npm. Fails if any of them does otherwise.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >things.json <<'JSON'
{ "openapi": "3.0.3", "info": { "title": "Things", "version": "1" }, "paths": { "/things/{name}": { "get": {
  "operationId": "showThing", "parameters": [ { "name": "name", "in": "path", "required": true, "schema": { "type": "string" } } ],
  "responses": { "204": { "description": "There." } } } } } }
JSON
npm init -y >/dev/null
npm pkg set type=module >/dev/null
npm install --no-audit --no-fund --silent orval@8.38.0 @hey-api/openapi-ts@0.99.0 openapi-typescript@7.13.0 openapi-fetch@0.17.0 tsx@4.20.0 >/dev/null 2>&1
cat >orval.config.js <<'JS'
const output = { client: "fetch", baseUrl: "http://127.0.0.1:18472" };
export default {
  plain: { input: "things.json", output: { ...output, target: "plain.ts" } },
  encoded: { input: "things.json", output: { ...output, target: "encoded.ts", urlEncodeParameters: true } },
};
JS
node_modules/.bin/orval --config orval.config.js >/dev/null 2>&1
node_modules/.bin/openapi-ts --input things.json --output hey --client @hey-api/client-fetch >/dev/null 2>&1
node_modules/.bin/openapi-typescript things.json --output paths.ts >/dev/null 2>&1
cat >main.ts <<'TS'
import { createServer } from "node:http";
import createClient from "openapi-fetch";
import { showThing as encoded } from "./encoded.js";
import { client } from "./hey/client.gen.js";
import { showThing as byHeyApi } from "./hey/sdk.gen.js";
import type { paths } from "./paths.js";
import { showThing as plain } from "./plain.js";

let asked = "";
const server = createServer((request, answer) => { asked = request.url ?? ""; answer.writeHead(204).end(); });
await new Promise<void>((ready) => server.listen(18472, "127.0.0.1", () => ready()));
const baseUrl = "http://127.0.0.1:18472";
client.setConfig({ baseUrl });
const name = "a/b?c";
for (const [tool, call] of Object.entries({
  "orval": () => plain(name),
  "orval, urlEncodeParameters": () => encoded(name),
  "hey-api": () => byHeyApi({ path: { name } }),
  "openapi-fetch": () => createClient<paths>({ baseUrl }).GET("/things/{name}", { params: { path: { name } } }),
})) {
  await call();
  console.log(`${tool}: ${asked}`);
}
server.close();
server.closeAllConnections();
TS
for name in orval @hey-api/openapi-ts openapi-fetch; do
	printf '%s %s\n' "$name" "$(node -p "JSON.parse(fs.readFileSync('node_modules/$name/package.json')).version")"
done
node_modules/.bin/tsx main.ts | tee out
grep -q '^orval: /things/a/b?c$' out
grep -q '^orval, urlEncodeParameters: /things/a%2Fb%3Fc$' out
grep -q '^hey-api: /things/a%2Fb%3Fc$' out
grep -q '^openapi-fetch: /things/a%2Fb%3Fc$' out
