//go:build peers

package clients

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const sdkFolder = "../../../../api/typescript"

// sdk copies the package into a workshop and installs what it needs there.
func sdk(t *testing.T, s service) workshop {
	t.Helper()
	w := newWorkshop(t, "typescript", s)
	w.dir = filepath.Join(w.dir, "client")
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json", "src"} {
		from, to := filepath.Join(sdkFolder, name), filepath.Join(w.dir, name)
		info, err := os.Stat(from)
		if err == nil && info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else if err == nil {
			var content []byte
			if content, err = os.ReadFile(from); err == nil {
				if err = os.MkdirAll(w.dir, 0o700); err == nil {
					err = os.WriteFile(to, content, 0o600)
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	return w
}

// The types of the package are made of the contract as it is served. `make typescript` makes them
// again.
func TestTypeScript_TypesAreThoseOfTheContract(t *testing.T) {
	s := newService(t)
	w := sdk(t, s)
	w.run(filepath.Join("node_modules", ".bin", "openapi-typescript"), s.contract, "--output", "fresh.ts")
	fresh, err := os.ReadFile(filepath.Join(w.dir, "fresh.ts"))
	if err != nil {
		t.Fatal(err)
	}
	committed := filepath.Join(sdkFolder, "src", "schema.ts")
	if os.Getenv("DIRESCO_UPDATE_TYPESCRIPT") != "" {
		if err := os.WriteFile(committed, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written, err := os.ReadFile(committed); err != nil || !bytes.Equal(written, fresh) {
		t.Errorf("api/typescript/src/schema.ts is stale: run `make typescript` and commit what changes (%v)", err)
	}
}

// A program that has nothing but the package logs in by OAuth, files a declaration and verifies its
// receipt, hears of it, and believes webhooks that are signed. Another is given answers that a
// sandbox does not give.
func TestTypeScript_LogsInAndFiles(t *testing.T) {
	w := sdk(t, newService(t))
	key, err := os.ReadFile("../../../sandbox/bureau.jwk.json")
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "BUREAU_KEY="+string(key))
	tsc := filepath.Join(w.dir, "node_modules", ".bin", "tsc")
	w.run(tsc, "--project", "tsconfig.json")
	w.dir = filepath.Dir(w.dir)
	w.run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
	w.run(tsc, "--project", "tsconfig.json")
	for _, name := range []string{"answers", "silence"} {
		if out := w.run("node", "--expose-gc", filepath.Join("built", name+".js")); out != "as said\n" {
			t.Errorf("%s.ts: %s", name, out)
		}
	}
	w.filed(w.run("node", filepath.Join("built", "sdk.js")))
}
