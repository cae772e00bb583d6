package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// sampleExtension marks the operations that the documentation shows in code. They are the way of a
// declaration, from the login to the receipt.
const sampleExtension = "x-sample"

// sample is a program that calls one operation. It takes the address of the API, the token and ids
// from variables of the environment, and prints the answer.
type sample struct {
	Label    string `json:"label"`
	Language string `json:"language"`
	Source   string `json:"source"`
}

// call is what a sample sends.
type call struct {
	id, method string
	// path has variables where the contract has parameters.
	path string
	// headers are names and values in turn; values may have variables.
	headers []string
	// body is JSON, with variables where the example has ids; it may be empty.
	body string
	pdf  bool
}

// samples writes the samples of each operation from the contract, so that they are right as long as
// it is.
func samples(contract *openapi3.T) (map[string][]sample, error) {
	written := map[string][]sample{}
	for path, item := range contract.Paths.Map() {
		for method, o := range item.Operations() {
			if o.Extensions[sampleExtension] != true {
				continue
			}
			c, err := newCall(method, path, o)
			if err != nil {
				return nil, fmt.Errorf("sample of %s: %w", o.OperationID, err)
			}
			program, err := c.inGo()
			if err != nil {
				return nil, fmt.Errorf("sample of %s: %w", o.OperationID, err)
			}
			written[o.OperationID] = []sample{{"curl", "sh", c.inShell()}, {"Go", "go", program}, {"TypeScript", "ts", c.inTypeScript()}}
		}
	}
	return written, nil
}

var parameterPattern = regexp.MustCompile(`\{([a-z_]+)\}`)

func newCall(method, path string, o *openapi3.Operation) (call, error) {
	c := call{id: o.OperationID, method: method}
	c.path = parameterPattern.ReplaceAllStringFunc(path, func(p string) string { return "$" + strings.ToUpper(strings.Trim(p, "{}")) })
	if access, _ := o.Extensions["x-access"].(map[string]any); access["to"] != "anyone" {
		c.headers = append(c.headers, "Authorization", "Bearer $TOKEN")
	}
	for _, p := range o.Parameters {
		if p.Value.Name == "Idempotency-Key" && p.Value.Required {
			c.headers = append(c.headers, "Idempotency-Key", "$KEY")
		}
	}
	if success := o.Responses.Status(http.StatusOK); success != nil {
		c.pdf = success.Value.Content["application/pdf"] != nil && len(success.Value.Content) == 1
	}
	if o.RequestBody == nil {
		return c, nil
	}
	c.headers = append(c.headers, "Content-Type", jsonType)
	example, ok := o.RequestBody.Value.Content[jsonType].Example.(map[string]any)
	if !ok {
		return c, fmt.Errorf("its body has no example")
	}
	example = maps.Clone(example)
	for name := range example {
		if strings.HasSuffix(name, "_id") || name == "jws" {
			example[name] = "$" + strings.ToUpper(name)
		}
	}
	if _, is := example["submit"]; is {
		// To submit is a sample of its own, which needs a draft.
		example["submit"] = false
	}
	body, err := json.MarshalIndent(example, "", "  ")
	c.body = string(body)
	return c, err
}

// inShell writes the call for curl.
func (c call) inShell() string {
	var b strings.Builder
	if slices.Contains(c.headers, "$KEY") {
		b.WriteString("KEY=$(date +%s%N)-" + c.id + " # a new one for each intent, the same one for each try\n")
	}
	b.WriteString("curl -sS --fail-with-body ")
	if c.method != http.MethodGet && c.body == "" {
		b.WriteString("-X " + c.method + " ")
	}
	b.WriteString(`"$API` + c.path + `"`)
	for pair := range slices.Chunk(c.headers, 2) {
		fmt.Fprintf(&b, " \\\n  -H \"%s: %s\"", pair[0], pair[1])
	}
	if c.pdf {
		b.WriteString(" \\\n  -o receipt.pdf")
	}
	if c.body != "" {
		b.WriteString(" \\\n  -d @- <<JSON\n" + c.body + "\nJSON")
	}
	return b.String() + "\n"
}

// inGo writes the call as a program.
func (c call) inGo() (string, error) {
	var b bytes.Buffer
	imports, body := []string{"fmt", "io", "log", "net/http", "os"}, "http.NoBody"
	if c.pdf {
		imports = []string{"io", "log", "net/http", "os"}
	}
	if slices.Contains(c.headers, "$KEY") {
		imports = append(imports, "crypto/rand")
	}
	if c.body != "" {
		imports, body = append(imports, "strings"), "strings.NewReader(os.ExpandEnv(`"+c.body+"`))"
	}
	slices.Sort(imports)
	b.WriteString("package main\n\nimport (\n\t\"" + strings.Join(imports, "\"\n\t\"") + "\"\n)\n\nfunc main() {\n")
	fmt.Fprintf(&b, "request, err := http.NewRequest(%q, os.ExpandEnv(%q), %s)\n", c.method, "$API"+c.path, body)
	b.WriteString("if err != nil {\nlog.Fatal(err)\n}\n")
	for pair := range slices.Chunk(c.headers, 2) {
		value := fmt.Sprintf("%q", pair[1])
		switch {
		case pair[1] == "$KEY":
			value = "rand.Text()"
			b.WriteString("// A new one for each intent, the same one for each try.\n")
		case strings.Contains(pair[1], "$"):
			value = "os.ExpandEnv(" + value + ")"
		}
		fmt.Fprintf(&b, "request.Header.Set(%q, %s)\n", pair[0], value)
	}
	b.WriteString("answer, err := http.DefaultClient.Do(request)\nif err != nil {\nlog.Fatal(err)\n}\n")
	b.WriteString("content, err := io.ReadAll(answer.Body)\n")
	b.WriteString("if err != nil || answer.StatusCode >= 400 {\nlog.Fatalf(\"%s %s %v\", answer.Status, content, err)\n}\n")
	if c.pdf {
		b.WriteString("if err := os.WriteFile(\"receipt.pdf\", content, 0o600); err != nil {\nlog.Fatal(err)\n}\n}\n")
	} else {
		b.WriteString("fmt.Println(string(content))\n}\n")
	}
	formatted, err := format.Source(b.Bytes())
	return string(formatted), err
}

var (
	variable       = regexp.MustCompile(`\$([A-Z_]+)`)
	quotedVariable = regexp.MustCompile(`"\$([A-Z_]+)"`)
)

// inTypeScript writes the call for fetch.
func (c call) inTypeScript() string {
	var b strings.Builder
	if c.pdf {
		b.WriteString("import { writeFile } from \"node:fs/promises\";\n\n")
	}
	template := func(s string) string { return "`" + variable.ReplaceAllString(s, "$${process.env.$1}") + "`" }
	fmt.Fprintf(&b, "const answer = await fetch(%s, {\n  method: %q,\n  headers: {\n", template("$API"+c.path), c.method)
	for pair := range slices.Chunk(c.headers, 2) {
		value := fmt.Sprintf("%q", pair[1])
		switch {
		case pair[1] == "$KEY":
			b.WriteString("    // A new one for each intent, the same one for each try.\n")
			value = "crypto.randomUUID()"
		case strings.Contains(pair[1], "$"):
			value = template(pair[1])
		}
		fmt.Fprintf(&b, "    %q: %s,\n", pair[0], value)
	}
	b.WriteString("  },\n")
	if c.body != "" {
		body := quotedVariable.ReplaceAllString(strings.ReplaceAll(c.body, "\n", "\n  "), "process.env.$1")
		fmt.Fprintf(&b, "  body: JSON.stringify(%s),\n", body)
	}
	b.WriteString("});\nif (!answer.ok) {\n  throw new Error(await answer.text());\n}\n")
	if c.pdf {
		b.WriteString("await writeFile(\"receipt.pdf\", new Uint8Array(await answer.arrayBuffer()));\n")
	} else {
		b.WriteString("console.log(await answer.text());\n")
	}
	return b.String()
}

// addSamples serves the samples for the page of the documentation.
func (p *pages) addSamples(contract *openapi3.T) error {
	written, err := samples(contract)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(written)
	if err != nil {
		return err
	}
	p.add(assetsPath+"samples.json", jsonType, encoded)
	return nil
}
