package letter_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/messaging/channel/letter"
	"diresco/internal/platform/pdfa/pdfatest"
	"diresco/internal/platform/pdftext/pdftexttest"
)

func outgoing() channel.Outgoing {
	return channel.Outgoing{
		ID: uuid.MustParse("018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f"), Kind: "pin.half", Channel: outbox.Letter,
		To: "Nicolò D'Alò\nVia Città di Castello 12\n00100 Roma RM", Locale: "it",
		Subject: "La seconda parte del PIN",
		Text:    "Gentile utente,\n\nla seconda parte del PIN è 7K3MQ9XA.\n\nPerché così è più sicuro: àèéìòù €.", Short: "no",
		// In Rome it is the next day already.
		CreatedAt: time.Date(2026, 3, 16, 23, 30, 2, 345678000, time.UTC),
	}
}

func render(t testing.TB, m channel.Outgoing) []byte {
	t.Helper()
	pdf, err := letter.Render(m)
	if err != nil {
		t.Fatal(err)
	}
	pdfatest.Check(t, pdf)
	return pdf
}

func TestLetter_WhatStandsInALetter(t *testing.T) {
	lines, pages := pdftexttest.Read(render(t, outgoing()))
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
	for _, want := range []string{
		"DiResCo – Dichiarazioni di responsabilità del contribuente", "Nicolò D'Alò", "Via Città di Castello 12", "00100 Roma RM",
		"17 marzo 2026", "Oggetto: La seconda parte del PIN",
		"Gentile utente,", "la seconda parte del PIN è 7K3MQ9XA.", "Perché così è più sicuro: àèéìòù €.",
		"Pagina 1 di 1 – 018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not in the letter:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	english := outgoing()
	english.Locale = "en"
	lines, _ = pdftexttest.Read(render(t, english))
	for _, want := range []string{
		"17 March 2026", "Subject: La seconda parte del PIN", "Page 1 of 1 – 018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not in the letter:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

var placed = regexp.MustCompile(`BT ([0-9.]+) ([0-9.]+) Td`)

// spots returns where the lines of a PDF stand, in the order of the lines. The places are in
// millimetres from the left and from the top.
func spots(t *testing.T, pdf []byte) (x, y []float64) {
	t.Helper()
	for _, match := range placed.FindAllStringSubmatch(pdftexttest.Content(pdf), -1) {
		left, err := strconv.ParseFloat(match[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		up, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		x, y = append(x, left*25.4/72), append(y, 297-up*25.4/72)
	}
	return x, y
}

func TestLetter_TheAddressStandsInTheWindow(t *testing.T) {
	for name, address := range map[string]string{
		"short": outgoing().To,
		"long": "Egregia Signora\nMaria Antonietta Buonarroti degli Alberti\npresso Cooperativa Agricola fra Produttori di Mele della " +
			"Val di Non\nFrazione San Giovanni in Persiceto\nVia dei Santi Quaranta Martiri 123/bis, scala C, interno 45\n38010 " +
			"Predaia TN\nItalia",
		"wide": "Consorzio" + strings.Repeat("x", 60) + "\nVia Roma 1\n00100 Roma RM",
	} {
		m := outgoing()
		m.To = address
		pdf := render(t, m)
		lines, _ := pdftexttest.Read(pdf)
		x, y := spots(t, pdf)
		if len(x) != len(lines) {
			t.Fatalf("%d places for %d lines", len(x), len(lines))
		}
		in := ""
		for i, line := range lines {
			if x[i] > 109.9 && y[i] > 45 && y[i] < 75 {
				in += line
			}
		}
		for line := range strings.SplitSeq(address, "\n") {
			if squeezed := strings.ReplaceAll(line, " ", ""); !strings.Contains(strings.ReplaceAll(in, " ", ""), squeezed) {
				t.Errorf("%s: %q is not in the window, which has %q", name, line, in)
			}
		}
		if strings.Contains(in, "7K3MQ9XA") || strings.Contains(in, "marzo") {
			t.Errorf("%s: the window shows more than the address: %q", name, in)
		}
	}
}

func TestLetter_AddressesThatNoWindowHolds(t *testing.T) {
	for _, address := range []string{"", " \r\n\t\n", "\x00\x1b", strings.Repeat("Via Roma 1\n", 40), strings.Repeat("x", 2000)} {
		m := outgoing()
		m.To = address
		if _, err := letter.Render(m); channeltest.Refusal(err) == nil || channeltest.Refusal(err).Reason != "malformed-address" {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestLetter_ALongLetterGoesOn(t *testing.T) {
	m := outgoing()
	m.Text = strings.Repeat(
		"Gentile utente, questa riga è lunga abbastanza da doverne riempire più di una sola sul foglio.\n\n", 60,
	) + "Fine."
	lines, pages := pdftexttest.Read(render(t, m))
	text := strings.Join(lines, "\n")
	if pages < 3 || !strings.Contains(text, "Pagina 1 di "+strconv.Itoa(pages)) ||
		!strings.Contains(text, "Pagina "+strconv.Itoa(pages)+" di "+strconv.Itoa(pages)) || !strings.Contains(text, "Fine.") {
		t.Errorf("%d pages:\n%s", pages, text)
	}
	if _, y := spots(t, render(t, m)); slices.Max(y) > 297-10 {
		t.Errorf("a line stands %v mm from the top", slices.Max(y))
	}
}

func TestLetter_CharactersThatBreakNothing(t *testing.T) {
	m := outgoing()
	m.To = "Maria\r\nRossi\r(\\) Tj\n00100 Roma"
	m.Subject = "x\r\ny ) Tj ET"
	m.Text = ".\r\n\u202Egnp.exe\x00 🙂 (\\) %s"
	lines, pages := pdftexttest.Read(render(t, m))
	for _, want := range []string{"Maria", "Rossi", `(\) Tj`, "00100 Roma", ".", "□gnp.exe □ (\\) %s"} {
		if !slices.Contains(lines, want) || pages != 1 {
			t.Errorf("%q is not in the letter:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

func TestLetter_SameMessageSameBytes(t *testing.T) {
	want := render(t, outgoing())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			m := outgoing()
			m.CreatedAt = m.CreatedAt.In(time.FixedZone("", -5*3600))
			if pdf, err := letter.Render(m); err != nil || !bytes.Equal(pdf, want) {
				t.Errorf("another letter: %v", err)
			}
		})
	}
	wg.Wait()
}

const key = "letters/2026-03-17/018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f"

func keys(t *testing.T, bucket *blob.Bucket) (all []string) {
	t.Helper()
	list := bucket.List(nil)
	for object, err := list.Next(context.Background()); err == nil; object, err = list.Next(context.Background()) {
		all = append(all, object.Key)
	}
	return all
}

func content(t *testing.T, bucket *blob.Bucket, key string) []byte {
	t.Helper()
	b, err := bucket.ReadAll(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLetter_HandOver(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	s := letter.NewSender(bucket)
	sent, err := s.Send(t.Context(), outgoing())
	if err != nil || sent.State != outbox.HandedOver || sent.ProviderRef != key+".pdf" {
		t.Fatalf("%+v, %v", sent, err)
	}
	pdf := content(t, bucket, key+".pdf")
	if !bytes.Equal(pdf, render(t, outgoing())) {
		t.Error("another letter is there")
	}
	var manifest map[string]any
	if err := json.Unmarshal(content(t, bucket, key+".json"), &manifest); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(pdf)
	if diff := cmp.Diff(map[string]any{
		"id": "018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f", "created_at": "2026-03-16T23:30:02.345678Z", "pages": 1.0,
		"sha256":    hex.EncodeToString(digest[:]),
		"recipient": []any{"Nicolò D'Alò", "Via Città di Castello 12", "00100 Roma RM"},
	}, manifest); diff != "" {
		t.Error(diff)
	}

	// A repeat leaves what the print house may be reading.
	before, err := bucket.Attributes(t.Context(), key+".pdf")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Send(t.Context(), outgoing()); err != nil || again != sent {
		t.Errorf("%+v, %v", again, err)
	}
	after, err := bucket.Attributes(t.Context(), key+".pdf")
	if err != nil || !after.ModTime.Equal(before.ModTime) || len(keys(t, bucket)) != 2 {
		t.Errorf("%v, %v", keys(t, bucket), err)
	}
}

// Where the process ended between letter and manifest, a repeat completes the pair.
func TestLetter_WithoutManifestIsCompleted(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	if err := bucket.WriteAll(t.Context(), key+".pdf", []byte("half"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := letter.NewSender(bucket).Send(t.Context(), outgoing()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content(t, bucket, key+".pdf"), render(t, outgoing())) || len(keys(t, bucket)) != 2 {
		t.Errorf("%v", keys(t, bucket))
	}
}

func TestLetter_WhatCannotBeHandedOver(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	s := letter.NewSender(bucket)
	m := outgoing()
	m.To = " "
	if _, err := s.Send(t.Context(), m); channeltest.Refusal(err) == nil || len(keys(t, bucket)) != 0 {
		t.Errorf("%v, %v", err, keys(t, bucket))
	}
	if err := bucket.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), outgoing()); err == nil || channeltest.Refusal(err) != nil {
		t.Errorf("a closed bucket: %v", err)
	}
}

// What is to be typed in stands large in groups of four, and is copied and spoken as one word.
func TestLetter_CodesStandOut(t *testing.T) {
	for word, groups := range map[string][]string{
		"7K3MQ9XA": {"7K3M", "Q9XA"}, "40718263": {"4071", "8263"}, "123456": {"1234", "56"},
	} {
		m := outgoing()
		m.Text = "Gentile utente,\n\nil codice è:\n\n" + word + "\n\nGrazie."
		pdf := render(t, m)
		text, err := pdfatest.Text(pdf)
		if err != nil || !strings.Contains(text, "P\n    Span "+word+"\n") {
			t.Errorf("%v: %s", err, text)
		}
		lines, _ := pdftexttest.Read(pdf)
		at := slices.Index(lines, groups[0])
		x, y := spots(t, pdf)
		if at < 0 || lines[at+1] != groups[1] || y[at] != y[at+1] || x[at+1]-x[at] < 4*3.8 {
			t.Errorf("%s stands as %q", word, lines)
		}
		if !strings.Contains(pdftexttest.Content(pdf), "18.00 Tf") {
			t.Error("it is not large")
		}
	}
}

// The institution that writes stands above the address, in one line that the window shows.
func TestLetter_NamesWhoWrites(t *testing.T) {
	m := outgoing()
	m.Sender = "Istituto Esempio – Via Roma 1, 00100 Roma"
	if lines, _ := pdftexttest.Read(render(t, m)); !slices.Contains(lines, m.Sender) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	m.Sender = strings.Repeat("Istituto Nazionale ", 20)
	if _, pages := pdftexttest.Read(render(t, m)); pages != 1 {
		t.Errorf("%d pages", pages)
	}
}

// What is copied, searched and read aloud comes in this order, with these roles.
func TestLetter_ReadsAsItIsStructured(t *testing.T) {
	m := outgoing()
	m.Sender = "Istituto Esempio – Via Roma 1, 00100 Roma"
	m.Text = "Gentile utente,\n\nquesta è la seconda parte del Suo PIN iniziale:\n\n7K3MQ9XA\n\nNon la comunichi a nessuno.\n\n" +
		"Istituto Esempio\nVia Roma 1, 00100 Roma"
	pdfatest.Golden(t, render(t, m), "letter.txt")
}
