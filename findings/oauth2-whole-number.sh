#!/usr/bin/env bash
# golang.org/x/oauth2 refuses a whole token answer whose expires_in is a whole number with a fraction or an exponent. Needs go.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"golang.org/x/oauth2"
)

func main() {
	for _, life := range []string{"3600", "3600.0", "3.6e3"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":"a","token_type":"Bearer","expires_in":%s}`, life)
		}))
		c := oauth2.Config{ClientID: "c", Endpoint: oauth2.Endpoint{TokenURL: s.URL, AuthStyle: oauth2.AuthStyleInParams}}
		_, err := c.Exchange(context.Background(), "code")
		fmt.Println(life, err == nil)
		s.Close()
	}
}
END
go mod init finding >out 2>&1
go get golang.org/x/oauth2@v0.37.0 >>out 2>&1
seen=$(go run . | tr '\n' ',')
echo 'golang.org/x/oauth2 0.37.0'
echo "expected: the three are one JSON number (RFC 8259 6), and all are taken; seen (expires_in, taken): $seen"
[ "$seen" = '3600 true,3600.0 false,3.6e3 false,' ]
