package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// authored is a contract in small. Its parts stand in files of their own, so that mistakes must be
// found there.
const authored = `openapi: 3.0.3
paths:
  # part: things.yaml
components:
  responses:
    # part: responses.yaml
`

const authoredThings = `# Things
/things/{id}:
  parameters:
    - { $ref: '#/components/parameters/Id' }
  get:
    x-access: { to: anyone }
    x-problems: [409]
    parameters:
      - { $ref: '#/components/parameters/IfNoneMatch' }
    responses:
      '200':
        description: |-
          The thing.

          As a file.
        headers:
          Cache-Control: { $ref: '#/components/headers/Cache-Control-Public' }
          Content-Disposition: { $ref: '#/components/headers/Content-Disposition' }
        content: # of some kind
          text/plain: {}

/things:
  post:
    x-access: { to: session }
    requestBody:
      content: {}
    responses:
      '202':
        description: Taken.
`

const expandedThings = `  # Things
  /things/{id}:
    parameters:
      - { $ref: '#/components/parameters/Id' }
    get:
      x-access: { to: anyone }
      security:
        - {}
        - bearer: []
      parameters:
        - { $ref: '#/components/parameters/IfNoneMatch' }
        - { $ref: '#/components/parameters/AcceptLanguage' }
      responses:
        '200':
          description: |-
            The thing.

            As a file.
          headers:
            Access-Control-Allow-Origin: { $ref: '#/components/headers/Access-Control-Allow-Origin' }
            Cache-Control: { $ref: '#/components/headers/Cache-Control-Public' }
            Content-Disposition: { $ref: '#/components/headers/Content-Disposition' }
            ETag: { $ref: '#/components/headers/ETag-Computed' }
            RateLimit-Limit: { $ref: '#/components/headers/RateLimit-Limit' }
            RateLimit-Remaining: { $ref: '#/components/headers/RateLimit-Remaining' }
            RateLimit-Reset: { $ref: '#/components/headers/RateLimit-Reset' }
            Request-Id: { $ref: '#/components/headers/Request-Id' }
            Vary: { $ref: '#/components/headers/Vary' }
          content: # of some kind
            text/plain: {}
        '304': { $ref: '#/components/responses/NotModified' }
        '400': { $ref: '#/components/responses/BadRequest' }
        '401': { $ref: '#/components/responses/Unauthenticated' }
        '404': { $ref: '#/components/responses/NotFound' }
        '406': { $ref: '#/components/responses/NotAcceptable' }
        '409': { $ref: '#/components/responses/Conflict' }
        '429': { $ref: '#/components/responses/TooManyRequests' }
        '500': { $ref: '#/components/responses/InternalError' }
        '503': { $ref: '#/components/responses/Unavailable' }

  /things:
    post:
      x-access: { to: session }
      security:
        - bearer: []
      parameters:
        - { $ref: '#/components/parameters/AcceptLanguage' }
      requestBody:
        content: {}
      responses:
        '202':
          description: Taken.
          headers:
            Access-Control-Allow-Origin: { $ref: '#/components/headers/Access-Control-Allow-Origin' }
            Cache-Control: { $ref: '#/components/headers/Cache-Control' }
            Location: { $ref: '#/components/headers/Location' }
            RateLimit-Limit: { $ref: '#/components/headers/RateLimit-Limit' }
            RateLimit-Remaining: { $ref: '#/components/headers/RateLimit-Remaining' }
            RateLimit-Reset: { $ref: '#/components/headers/RateLimit-Reset' }
            Request-Id: { $ref: '#/components/headers/Request-Id' }
            Vary: { $ref: '#/components/headers/Vary' }
        '400': { $ref: '#/components/responses/BadRequest' }
        '401': { $ref: '#/components/responses/Unauthenticated' }
        '403': { $ref: '#/components/responses/Forbidden' }
        '406': { $ref: '#/components/responses/NotAcceptable' }
        '413': { $ref: '#/components/responses/TooLarge' }
        '415': { $ref: '#/components/responses/UnsupportedMediaType' }
        '422': { $ref: '#/components/responses/Unprocessable' }
        '429': { $ref: '#/components/responses/TooManyRequests' }
        '500': { $ref: '#/components/responses/InternalError' }
        '503': { $ref: '#/components/responses/Unavailable' }
`

const authoredResponses = `Conflict:
  description: Not now.
  headers:
    Retry-After: { $ref: '#/components/headers/Retry-After' }
  content:
    application/problem+json: {}
`

const expandedResponses = `    Conflict:
      description: Not now.
      headers:
        Access-Control-Allow-Origin: { $ref: '#/components/headers/Access-Control-Allow-Origin' }
        Cache-Control: { $ref: '#/components/headers/Cache-Control' }
        Content-Language: { $ref: '#/components/headers/Content-Language' }
        RateLimit-Limit: { $ref: '#/components/headers/RateLimit-Limit' }
        RateLimit-Remaining: { $ref: '#/components/headers/RateLimit-Remaining' }
        RateLimit-Reset: { $ref: '#/components/headers/RateLimit-Reset' }
        Request-Id: { $ref: '#/components/headers/Request-Id' }
        Retry-After: { $ref: '#/components/headers/Retry-After' }
        Vary: { $ref: '#/components/headers/Vary' }
      content:
        application/problem+json: {}
`

// A page of a list tells the cursor of the next wherever it has the link.
func TestRules_PagesSayTheNextCursor(t *testing.T) {
	const links = "      _links: { $ref: '#/components/schemas/PageLinks' }\n"
	const before = "components:\n  schemas:\n    Things:\n      properties:\n        items: { type: array }\n"
	for written, want := range map[string]string{
		before + "  " + links:      before + "        next_cursor: { $ref: '#/components/schemas/NextCursor' }\n  " + links,
		before + "        a: {}\n": before + "        a: {}\n",
	} {
		joined, err := joinParts(folder("head.yaml", written))
		if err != nil {
			t.Fatal(err)
		}
		got, err := expand(joined)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got.bytes())); diff != "" {
			t.Error(diff)
		}
	}
	joined, err := joinParts(folder("head.yaml", before+"        next_cursor: {}\n  "+links))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := expand(joined); err == nil || !strings.Contains(err.Error(), "head.yaml:6: Things: next_cursor follows from a rule") {
		t.Errorf("an authored cursor: %v", err)
	}
}

// expanded joins the small contract with things as its paths.
func expanded(t *testing.T, things string) (text, error) {
	t.Helper()
	joined, err := joinParts(folder("head.yaml", authored, "things.yaml", things, "responses.yaml", authoredResponses))
	if err != nil {
		t.Fatal(err)
	}
	return expand(joined)
}

func TestRules_WriteWhatFollows(t *testing.T) {
	got, err := expanded(t, authoredThings)
	if err != nil {
		t.Fatal(err)
	}
	want := "openapi: 3.0.3\npaths:\n" + expandedThings + "components:\n  responses:\n" + expandedResponses
	if diff := cmp.Diff(want, string(got.bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestRules_MistakesNameFileAndLine(t *testing.T) {
	for _, c := range []struct{ old, changed, want string }{
		{"  get:\n    x-access: { to: anyone }\n", "  get:\n", "things.yaml:5: get /things/{id}: no x-access"},
		{"x-problems: [409]", "x-problems: [404]", "things.yaml:7: x-problems: 404 follows from a rule"},
		{"x-problems: [409]", "x-problems: [418]", `things.yaml:7: x-problems: there is no response for "418"`},
		{"x-problems: [409]", "x-problems: [409, 409]", "things.yaml:7: x-problems: statuses stand in their order"},
		{"x-problems: [409]", "x-problems: 409", "things.yaml:7: x-problems: a list of statuses is needed"},
		{"x-problems: [409]", "security: []", "things.yaml:7: security follows from x-access"},
		{"IfNoneMatch", "AcceptLanguage", "things.yaml:5: every operation takes AcceptLanguage"},
		{"'202':", "'404':", "things.yaml:28: only successes are written here"},
		{"        description: Taken.", "        content: {}", "things.yaml:28: 202: no description"},
		{"headers/Cache-Control-Public", "headers/Cache-Control", "things.yaml:17: Cache-Control follows from a rule"},
		{"    responses:\n      '202':\n        description: Taken.\n", "", "things.yaml:23: post /things: no responses"},
		{"/things:", "/things: [", "things.yaml:21: did not find expected"},
	} {
		if !strings.Contains(authoredThings, c.old) {
			t.Fatalf("nothing to change: %q", c.old)
		}
		if _, err := expanded(
			t, strings.Replace(authoredThings, c.old, c.changed, 1),
		); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.changed, err, c.want)
		}
	}
}
