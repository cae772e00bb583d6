// Command payroll files a month of declarations from a CSV file and saves the receipts. It is an
// example of software that acts for its user and never sees a PIN.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"diresco/api/client"
)

// What the program ends with.
const (
	allFiled   = 0
	someFailed = 1
	notRun     = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program. Results go to out, what is wrong to wrong.
func run(ctx context.Context, args []string, out, wrong io.Writer) int {
	flags := flag.NewFlagSet("payroll", flag.ContinueOnError)
	flags.SetOutput(wrong)
	service := flags.String("api", "http://127.0.0.1:8080", "where the service is, without /v1")
	csvFile := flags.String("csv", "month.csv", "the month: one declaration on each line")
	folder := flags.String("out", "receipts", "the folder for the receipts")
	clientID := flags.String("client", "sandbox-payroll", "the client_id of this program, from its registration")
	tokenFile := flags.String("token", "", "where the tokens are kept (default: a file of this user)")
	language := flags.String("lang", "en", "the language of what the service says: it or en")
	if err := flags.Parse(args); err != nil {
		return notRun
	}
	failed, err := file(ctx, settings{
		service: strings.TrimRight(*service, "/"), csv: *csvFile, folder: *folder, clientID: *clientID,
		tokenFile: *tokenFile, language: *language,
	}, out)
	switch {
	case err != nil:
		fmt.Fprintln(wrong, "payroll:", err)
		return notRun
	case failed > 0:
		fmt.Fprintf(wrong, "payroll: %d not filed. Correct these lines and run it again: what was filed is not filed twice.\n", failed)
		return someFailed
	}
	return allFiled
}

// settings are what the user chose.
type settings struct{ service, csv, folder, clientID, tokenFile, language string }

// file reads the month, logs in, files and saves. It returns how many declarations were not filed.
func file(ctx context.Context, s settings, out io.Writer) (failed int, err error) {
	month, err := readMonth(s.csv)
	if err != nil {
		return 0, err
	}
	if s.tokenFile == "" {
		if s.tokenFile, err = ownTokenFile(s.service); err != nil {
			return 0, err
		}
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return 0, err
	}
	tokens, err := logIn(ctx, s, out)
	if err != nil {
		return 0, err
	}
	api, err := client.New(s.service+"/v1", client.Options{Tokens: tokens, Language: s.language, UserAgent: "diresco-example-payroll"})
	if err != nil {
		return 0, err
	}
	return newPayroll(api, s, out).file(ctx, month)
}
