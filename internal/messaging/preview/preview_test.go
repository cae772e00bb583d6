package preview_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/messaging/notification"
	"diresco/internal/messaging/preview"
	"diresco/internal/platform/pdfa/pdfatest"
)

func show(t *testing.T, o preview.Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := preview.Show(&out, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPreview_EveryKindIsShownInEveryForm(t *testing.T) {
	kinds, err := notification.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	for format, extension := range map[string]string{"text": "txt", "html": "html", "sms": "sms.txt"} {
		for _, locale := range []string{"it", "en"} {
			dir := filepath.Join(t.TempDir(), "new")
			printed := show(t, preview.Options{Locale: locale, Format: format, Dir: dir})
			if !strings.Contains(printed, dir) {
				t.Errorf("%s: %q", format, printed)
			}
			for _, kind := range kinds {
				content, err := os.ReadFile(filepath.Join(dir, kind+"."+locale+"."+extension))
				if err != nil || len(content) == 0 {
					t.Errorf("%s in %s as %s: %d bytes, %v", kind, locale, format, len(content), err)
				}
			}
			all := show(t, preview.Options{Locale: locale, Format: format})
			for _, kind := range kinds {
				if !strings.Contains(all, "== "+kind+" ("+locale+")") {
					t.Errorf("%s is not shown", kind)
				}
			}
		}
	}
}

func TestPreview_OneKind(t *testing.T) {
	it := show(t, preview.Options{Kind: "pin.half", Locale: "it", Format: "text"})
	if strings.Count(it, "== ") != 1 || !strings.Contains(it, "H4TW9PC6") {
		t.Errorf("%s", it)
	}
	if en := show(t, preview.Options{Kind: "pin.half", Locale: "en", Format: "html"}); !strings.Contains(en, "<html") ||
		!strings.Contains(en, ">H4TW<") || !strings.Contains(en, ">9PC6<") {
		t.Errorf("%s", en)
	}
}

func TestPreview_ALetter(t *testing.T) {
	dir := t.TempDir()
	show(t, preview.Options{Kind: "pin.half", Locale: "it", Format: "letter", Dir: dir})
	content, err := os.ReadFile(filepath.Join(dir, "pin.half.it.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := pdfatest.Text(content)
	if err != nil || !strings.Contains(text, "Maria Rossi") || !strings.Contains(text, "Span H4TW9PC6\n") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestPreview_WhatCannotBeShown(t *testing.T) {
	for name, o := range map[string]preview.Options{
		"unknown kind":     {Kind: "pin.forgotten", Locale: "it", Format: "text"},
		"a path":           {Kind: "../texts/layout", Locale: "it", Format: "text"},
		"unknown format":   {Locale: "it", Format: "fax"},
		"letters in print": {Locale: "it", Format: "letter"},
	} {
		var out bytes.Buffer
		if err := preview.Show(&out, o); err == nil || out.Len() > 0 {
			t.Errorf("%s: %q", name, out.String())
		}
	}
	var out bytes.Buffer
	if err := preview.Show(&out, preview.Options{
		Kind: "pin.forgotten", Locale: "it", Format: "sms",
	}); !errors.Is(err, notification.ErrUnknownKind) {
		t.Error(err)
	}
}
