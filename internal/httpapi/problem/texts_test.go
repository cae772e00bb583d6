package problem

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"diresco/api"
	"diresco/internal/platform/fault"
)

func TestTexts_BothLanguagesSayTheSameThings(t *testing.T) {
	it, en := dictionaries[Italian], dictionaries[English]
	same := func(what string, a, b []string) {
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: Italian has %q, English %q", what, a, b)
		}
	}
	same("reasons", slices.Collect(maps.Keys(it.reasons)), slices.Collect(maps.Keys(en.reasons)))
	same("notices", slices.Collect(maps.Keys(it.notices)), slices.Collect(maps.Keys(en.notices)))
	same("fields", slices.Collect(maps.Keys(it.fields)), slices.Collect(maps.Keys(en.fields)))
	for _, d := range dictionaries {
		if len(d.problems) != len(statuses) {
			t.Errorf("%d problems have words, %d a status", len(d.problems), len(statuses))
		}
		for code := range statuses {
			if w := d.problems[code]; w.title == "" || w.detail == "" || w.help == "" {
				t.Errorf("%s has no words", code)
			}
			if Remedy(Italian, code) == "" || Remedy(English, code) == "" {
				t.Errorf("%s does not say what to do", code)
			}
		}
	}
}

// sources are the product files of all packages below internal. It fails where it does not find
// those whose faults are shown.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	const root = "../.."
	var files []*ast.File
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
		files = append(files, file)
		group, _, _ := strings.Cut(path, "/")
		found[group] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"platform", "kernel", "masterdata", "identity", "mandate", "filing", "messaging", "sandbox", "httpapi"} {
		if !found[group] {
			t.Errorf("no files of internal/%s were found", group)
		}
	}
	return files
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// members returns the texts that a composite literal gives to its members.
func members(c *ast.CompositeLit) map[string]string {
	found := map[string]string{}
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if name, ok := kv.Key.(*ast.Ident); ok {
				found[name.Name], _ = literal(kv.Value)
			}
		}
	}
	return found
}

// isFault reports whether a composite literal's type is fault.Fault.
func isFault(written ast.Expr) bool {
	switch written := written.(type) {
	case *ast.SelectorExpr:
		return written.Sel.Name == "Fault"
	case *ast.Ident:
		return written.Name == "Fault"
	default:
		return false
	}
}

// constants returns the texts of the constants of a package whose names begin with the prefix.
func constants(files []*ast.File, pkg, prefix string) []string {
	var found []string
	for _, file := range files {
		if file.Name.Name != pkg {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, prefix) {
				if text, ok := literal(spec.Values[0]); ok {
					found = append(found, text)
				}
			}
			return true
		})
	}
	slices.Sort(found)
	return found
}

func TestTexts_AreThoseOfTheConstants(t *testing.T) {
	files := sources(t)
	if codes, texts := constants(files, "fault", "Field"), slices.Sorted(maps.Keys(inItalian.fields)); len(codes) == 0 ||
		!slices.Equal(codes, texts) {
		t.Errorf("field codes %q, texts for %q", codes, texts)
	}
	if notices, texts := constants(files, "problem", "Notice"), slices.Sorted(maps.Keys(inItalian.notices)); len(notices) == 0 ||
		!slices.Equal(notices, texts) {
		t.Errorf("notices %q, texts for %q", notices, texts)
	}
	reasons := constants(files, "problem", "Reason")
	if len(reasons) == 0 {
		t.Error("no reasons were found")
	}
	for _, reason := range reasons {
		if inItalian.reasons[reason] == "" {
			t.Errorf("reason %q has no text", reason)
		}
	}
}

func TestTexts_EveryFaultAndReasonInTheCodeHasATextAndAStatus(t *testing.T) {
	known := func(texts map[string]string, text string) {
		if text != "" && texts[text] == "" {
			t.Errorf("%q has no text", text)
		}
	}
	kinds, reasons, fields := 0, 0, 0
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if name, ok := n.Type.(*ast.Ident); ok && file.Name.Name == "fault" && name.Name == "Code" {
					code, _ := literal(n.Values[0])
					kinds++
					if statuses[fault.Code(code)] == 0 {
						t.Errorf("fault %q has no status", code)
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Because" && len(n.Args) == 2 {
					reason, _ := literal(n.Args[1])
					reasons++
					known(inItalian.reasons, reason)
				}
			case *ast.CompositeLit:
				if m := members(n); len(m) > 0 {
					if _, ok := m["Pointer"]; ok {
						fields++
						if code := m["Code"]; code != "" {
							t.Errorf("the field code %q is written out; say its constant", code)
						}
					}
					// Channels have reasons too, for operators.
					if _, ok := m["Reason"]; ok && isFault(n.Type) {
						known(inItalian.reasons, m["Reason"])
					}
				}
			}
			return true
		})
	}
	if reasons == 0 || fields == 0 {
		t.Errorf("%d reasons and %d fields were found", reasons, fields)
	}
	if kinds != len(statuses) {
		t.Errorf("%d kinds of fault, %d statuses", kinds, len(statuses))
	}
}

// The contract lists the kinds of problems, which a client's author takes for all there are.
func TestProblem_CodesAreThoseOfTheContract(t *testing.T) {
	contract, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, code := range contract.Components.Schemas["ProblemCode"].Value.Enum {
		listed = append(listed, code.(string))
	}
	slices.Sort(listed)
	var known []string
	for _, code := range Codes() {
		known = append(known, string(code))
	}
	if !slices.Equal(listed, known) {
		t.Errorf("the contract lists %q, there are %q", listed, known)
	}
}

// TestProblem_AFullDiskPasses: it is no defect, and the request may be repeated.
func TestProblem_AFullDiskPasses(t *testing.T) {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		err := fmt.Errorf("blob: %w", &fs.PathError{Op: "write", Path: "x", Err: full})
		if f := FaultOf(err); f == nil || f.Code != fault.Unavailable {
			t.Errorf("%v is %v", err, f)
		}
	}
}
