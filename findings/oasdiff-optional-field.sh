#!/usr/bin/env bash
# oasdiff lets pass that an answer loses an optional field, and that a request loses a field which a strict server then refuses. Needs go.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

contract() {
	cat <<END
openapi: 3.0.3
info: { title: t, version: '1' }
paths:
  /things:
    post:
      requestBody:
        content:
          application/json:
            schema: { type: object, additionalProperties: false, properties: { kept: { type: string }$1 } }
      responses:
        '200':
          description: Done.
          content:
            application/json:
              schema: { type: object, properties: { kept: { type: string }$1 } }
END
}
contract ', gone: { type: string }' >before.yaml
contract '' >after.yaml

go mod init finding >out 2>&1
go get -tool github.com/oasdiff/oasdiff@v1.38.0 >>out 2>&1
echo 'oasdiff 1.38.0'
go tool oasdiff breaking before.yaml after.yaml --fail-on ERR
echo 'expected: both are refused; seen: neither is'
printf 'response-optional-property-removed err\nrequest-property-removed err\n' >levels.txt
if go tool oasdiff breaking before.yaml after.yaml --fail-on ERR --severity-levels levels.txt; then
	exit 1
fi
echo 'with levels of our own both are'
