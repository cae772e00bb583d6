#!/usr/bin/env bash
# golang-ical writes a colon or comma in a parameter with a backslash, which RFC 5545 does not know, so that others read another address; and ends lines in LF. Needs go.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

go mod init finding >out 2>&1
go get github.com/arran4/golang-ical@v0.3.4 github.com/emersion/go-ical@v0.0.0-20250329121855-f41e73efc392 >>out 2>&1
cat >main.go <<'END'
package main

import (
	"fmt"
	"strings"

	ics "github.com/arran4/golang-ical"
	"github.com/emersion/go-ical"
)

func main() {
	c := ics.NewCalendar()
	c.AddEvent("1").SetProperty(ics.ComponentPropertyOrganizer, "mailto:a@example.com", ics.WithCN("Sede: sportello A"))
	text := c.Serialize()
	read, err := ical.NewDecoder(strings.NewReader(text)).Decode()
	if err != nil {
		panic(err)
	}
	organizer := read.Events()[0].Props.Get("ORGANIZER")
	fmt.Printf("CN %q, address %q, CR LF %t\n", organizer.Params.Get("CN"), organizer.Value, strings.Contains(text, "\r\n"))
}
END
seen=$(go run .)
echo 'golang-ical 0.3.4, read by go-ical 2025-03-29'
# RFC 5545 3.2: a value with a colon, semicolon or comma stands in quotation marks. 3.1: a line ends with CR LF, on any machine.
echo "expected: CN \"Sede: sportello A\", address \"mailto:a@example.com\", CR LF true; seen: $seen"
[ "$seen" = 'CN "Sede\\", address " sportello A:mailto:a@example.com", CR LF false' ]
