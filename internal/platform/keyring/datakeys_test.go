package keyring_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

func key(fill byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32)))
}

func parse(t *testing.T, text string) *keyring.DataKeys {
	t.Helper()
	keys, err := keyring.ParseDataKeys(secret.Text(text))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestDataKeys_MACSurvivesRotation(t *testing.T) {
	before := parse(t, "old:"+key('a'))
	id, mac := before.MAC("request", []byte("GET"), []byte("/me"))
	after := parse(t, "new:"+key('b')+", old:"+key('a'))
	if !after.CheckMAC(id, mac, "request", []byte("GET"), []byte("/me")) {
		t.Error("the old key no longer checks")
	}
	if newID, newMAC := after.MAC("request", []byte("GET"), []byte("/me")); newID != "new" || newMAC == mac {
		t.Errorf("the current key is %q", newID)
	}
	if parse(t, "new:"+key('b')).CheckMAC(id, mac, "request", []byte("GET"), []byte("/me")) {
		t.Error("a digest under a key that was dropped is accepted")
	}
	if sums := after.Sums("request", []byte("x")); len(sums) != 2 || string(sums[1]) != string(before.Sums("request", []byte("x"))[0]) {
		t.Error("Sums must give one for each key, the current one first")
	}
}

func TestDataKeys_MACTellsPurposesAndPartsApart(t *testing.T) {
	keys := parse(t, "k1:"+key('a'))
	id, mac := keys.MAC("request", []byte("ab"), []byte("c"))
	for name, ok := range map[string]bool{
		"other purpose":   keys.CheckMAC(id, mac, "attempts", []byte("ab"), []byte("c")),
		"parts cut apart": keys.CheckMAC(id, mac, "request", []byte("a"), []byte("bc")),
		"parts joined":    keys.CheckMAC(id, mac, "request", []byte("abc")),
		"one more part":   keys.CheckMAC(id, mac, "request", []byte("ab"), []byte("c"), nil),
		"other key id":    keys.CheckMAC("k2", mac, "request", []byte("ab"), []byte("c")),
		"cut digest":      keys.CheckMAC(id, mac[:10], "request", []byte("ab"), []byte("c")),
		"no digest":       keys.CheckMAC(id, "", "request", []byte("ab"), []byte("c")),
	} {
		if ok {
			t.Error(name, "is accepted")
		}
	}
}

func TestDataKeys_ParseDataKeysRefusesWithoutTellingTheKey(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":     "",
		"no id":       key('s'),
		"short":       "k1:" + base64.StdEncoding.EncodeToString([]byte("sssssssssssssss")),
		"not base64":  "k1:ssssssss*",
		"id twice":    "k1:" + key('s') + ",k1:" + key('t'),
		"wrong id":    "k 1:" + key('s'),
		"empty item":  "k1:" + key('s') + ",",
		"second long": "k1:" + key('s') + ",k2:" + key('s') + key('s'),
	} {
		_, err := keyring.ParseDataKeys(secret.Text(text))
		if err == nil {
			t.Error(name, "is accepted")
		} else if strings.Contains(err.Error(), "c3Nz") || strings.Contains(err.Error(), "sss") {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	if text := fmt.Sprintf("%v %+v", parse(t, "k1:"+key('s')), parse(t, "k1:"+key('s'))); strings.Contains(text, "115") ||
		strings.Contains(text, "sss") {
		t.Error("data keys print themselves")
	}
}

func TestDataKeys_File(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data-keys")
	first, err := keyring.LoadOrCreateDataKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	id, mac := first.MAC("x")
	again, err := keyring.LoadOrCreateDataKeys(path)
	if err != nil || !again.CheckMAC(id, mac, "x") {
		t.Errorf("the file does not give the same key again: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.LoadOrCreateDataKeys(path); err == nil {
		t.Error("a file that cannot be read is accepted or replaced")
	}
}
