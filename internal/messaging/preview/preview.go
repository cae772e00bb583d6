// Package preview shows the words of messages, in every form in which they leave, with data that is
// about nobody.
package preview

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/letter"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/institution"
)

// Options say what is shown.
type Options struct {
	// By is in whose name they are written.
	By institution.Institution
	// Kind is one kind of message; empty means every one.
	Kind string
	// Locale is it or en.
	Locale string
	// Format is text, html, sms or letter.
	Format string
	// Dir is where files are written, one for each message; it is made where it is missing. Empty
	// means that everything is printed instead, which letters cannot be.
	Dir string
}

var extensions = map[string]string{"text": ".txt", "html": ".html", "sms": ".sms.txt", "letter": ".pdf"}

// Show writes what the options say, to w or into the directory.
func Show(w io.Writer, o Options) error {
	extension, known := extensions[o.Format]
	switch {
	case !known:
		return errors.New("--format must be text, html, sms or letter")
	case o.Format == "letter" && o.Dir == "":
		return errors.New("letters are PDF files: say with --out where to write them")
	}
	kinds, err := notification.Kinds()
	if err != nil {
		return err
	}
	if o.Kind != "" {
		kinds = []string{o.Kind}
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o750); err != nil {
			return err
		}
	}
	for _, kind := range kinds {
		content, err := render(kind, o)
		if err != nil {
			return err
		}
		if o.Dir == "" {
			_, err = fmt.Fprintf(w, "== %s (%s)\n\n%s\n\n", kind, o.Locale, content)
		} else {
			err = os.WriteFile(filepath.Join(o.Dir, kind+"."+o.Locale+extension), content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	if o.Dir != "" {
		_, err = fmt.Fprintf(w, "%d messages written to %s\n", len(kinds), o.Dir)
	}
	return err
}

// sampleAt is when the message that is shown was promised.
var sampleAt = time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC)

func render(kind string, o Options) ([]byte, error) {
	data, err := notification.Sample(kind)
	if err != nil {
		return nil, err
	}
	text, err := notification.RenderFor(o.By, kind, data, nil, notification.Locale(o.Locale))
	if err != nil {
		return nil, err
	}
	switch o.Format {
	case "html":
		return []byte(text.HTML), nil
	case "sms":
		return []byte(text.Short), nil
	case "letter":
		return letter.Render(channel.Outgoing{
			ID: uuid.UUID{}, Kind: kind, To: "Maria Rossi\nVia Roma 1\n00100 Roma RM", Locale: o.Locale, Subject: text.Subject,
			Text: text.Body, Sender: o.By.Sender(), CreatedAt: sampleAt,
		})
	}
	return []byte(text.Subject + "\n\n" + text.Body), nil
}
