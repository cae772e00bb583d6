package main

import (
	"os"

	"diresco/internal/messaging/preview"
)

type messagesCommands struct {
	Preview messagesPreviewCommand `cmd:"" help:"Show the words of every kind of message, with data that is about nobody."`
}

type messagesPreviewCommand struct {
	Kind   string `help:"One kind of message, such as pin.half; all of them unless it is given."`
	Locale string `default:"it" enum:"it,en" help:"Language: it or en."`
	Format string `default:"text" enum:"text,html,sms,letter" help:"How it leaves: text or html (e-mail, PEC), sms, letter (PDF)."`
	Out    string `type:"path" help:"Directory to write files to, one for each message; printed unless it is given."`
}

// Run shows them.
func (m messagesPreviewCommand) Run() error {
	return preview.Show(os.Stdout, preview.Options{Kind: m.Kind, Locale: m.Locale, Format: m.Format, Dir: m.Out})
}
