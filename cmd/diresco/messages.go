package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"diresco/internal/app"
	"diresco/internal/identity/person"
	"diresco/internal/messaging/preview"
	"diresco/internal/platform/config"
)

type messagesCommands struct {
	Preview     messagesPreviewCommand     `cmd:"" help:"Show the words of every kind of message, with data that is about nobody."`
	UndoBounces messagesUndoBouncesCommand `cmd:"" help:"Make contacts count again that bounced in a period."`
}

type messagesPreviewCommand struct {
	Kind   string `help:"One kind of message, such as pin.half; all of them unless it is given."`
	Locale string `default:"it" enum:"it,en" help:"Language: it or en."`
	Format string `default:"text" enum:"text,html,sms,letter" help:"How it leaves: text or html (e-mail, PEC), sms, letter (PDF)."`
	Out    string `type:"path" help:"Directory to write files to, one for each message; printed unless it is given."`
}

// Run shows them.
func (m messagesPreviewCommand) Run() error {
	c, err := config.Read(os.Environ())
	if err != nil {
		return err
	}
	return preview.Show(os.Stdout, preview.Options{By: c.Institution(), Kind: m.Kind, Locale: m.Locale, Format: m.Format, Dir: m.Out})
}

type messagesUndoBouncesCommand struct {
	From  time.Time `required:"" help:"First instant of the period, such as 2026-03-16T08:00:00Z."`
	Until time.Time `required:"" help:"Instant at which it was over."`
	Kind  string    `default:"" enum:",mobile,email,pec" help:"One kind of contact: mobile, email or pec; all of them unless it is given."`
}

// Run undoes them.
func (m messagesUndoBouncesCommand) Run(ctx context.Context) error {
	if !m.From.Before(m.Until) {
		return errors.New("--from must be before --until")
	}
	c, err := storeConfig()
	if err != nil {
		return err
	}
	n, err := app.UndoBounces(ctx, c, person.Bounces{From: m.From, Until: m.Until, Kind: person.ContactKind(m.Kind)})
	fmt.Printf("contacts that count again: %d\n", n)
	return err
}
