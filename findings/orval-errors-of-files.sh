#!/bin/sh
# orval 8.38.0, client fetch: an operation that answers a file, and an error as JSON. The generated types say that the error
# is an object; the generated function reads every answer as a Blob, so that its members are undefined. It compiles strictly.
# @hey-api/openapi-ts 0.99.0 and openapi-fetch 0.17.0 with parseAs "blob" give the object.
# Needs node and npm. Fails if any of them does otherwise.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >pages.json <<'JSON'
{ "openapi": "3.0.3", "info": { "title": "Pages", "version": "1" }, "paths": { "/page": { "get": {
  "operationId": "showPage", "responses": {
    "200": { "description": "The page.", "content": { "application/pdf": { "schema": { "type": "string", "format": "binary" } } } },
    "404": { "description": "None.", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } } } } } } },
  "components": { "schemas": { "Problem": { "type": "object", "required": ["code"], "properties": { "code": { "type": "string" } } } } } }
JSON
npm init -y >/dev/null
npm pkg set type=module >/dev/null
npm install --no-audit --no-fund --ignore-scripts --silent orval@8.38.0 @hey-api/openapi-ts@0.99.0 openapi-typescript@7.13.0 openapi-fetch@0.17.0 \
	typescript@5.9.3 @types/node@20.19.0 >/dev/null 2>&1
echo 'export default { a: { input: "pages.json", output: { target: "orval.ts", client: "fetch", baseUrl: "http://127.0.0.1:18471" } } };' >orval.config.js
node_modules/.bin/orval --config orval.config.js >/dev/null 2>&1
node_modules/.bin/openapi-ts --input pages.json --output hey --client @hey-api/client-fetch >/dev/null 2>&1
node_modules/.bin/openapi-typescript pages.json --output paths.ts >/dev/null 2>&1
cat >main.ts <<'TS'
import { createServer } from "node:http";
import createClient from "openapi-fetch";
import { client } from "./hey/client.gen.js";
import { showPage as byHeyApi } from "./hey/sdk.gen.js";
import { showPage as byOrval } from "./orval.js";
import type { paths } from "./paths.js";

const server = createServer((_, answer) => answer.writeHead(404, { "Content-Type": "application/json" }).end('{"code":"no-page"}'));
await new Promise<void>((ready) => server.listen(18471, "127.0.0.1", () => ready()));
const baseUrl = "http://127.0.0.1:18471";
client.setConfig({ baseUrl });

const orval = await byOrval();
if (orval.status === 404) {
  const code: string = orval.data.code;
  console.log(`orval: ${orval.data.constructor.name}, code ${code}`);
}
const hey = await byHeyApi();
console.log(`hey-api: ${hey.error?.constructor.name}, code ${hey.error?.code}`);
const fetched = await createClient<paths>({ baseUrl }).GET("/page", { parseAs: "blob" });
console.log(`openapi-fetch: ${fetched.error?.constructor.name}, code ${fetched.error?.code}`);
server.close();
server.closeAllConnections();
TS
echo '{ "compilerOptions": { "strict": true, "module": "esnext", "moduleResolution": "bundler", "target": "es2023", "lib": ["es2023", "dom", "dom.iterable"],
  "types": ["node"], "skipLibCheck": true, "noEmit": true }, "files": ["main.ts"] }' >tsconfig.json
node_modules/.bin/tsc
echo 'compiles strictly'
npm install --no-audit --no-fund --silent tsx@4.20.0 >/dev/null 2>&1
for name in orval @hey-api/openapi-ts openapi-fetch; do
	printf '%s %s\n' "$name" "$(node -p "JSON.parse(fs.readFileSync('node_modules/$name/package.json')).version")"
done
node_modules/.bin/tsx main.ts | tee out
grep -q '^orval: Blob, code undefined$' out
grep -q '^hey-api: Object, code no-page$' out
grep -q '^openapi-fetch: Object, code no-page$' out
