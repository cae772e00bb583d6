#!/usr/bin/env bash
# The wait of golang.org/x/oauth2 for a device code ends with the first answer 503, and with the first connection that breaks. Needs go.
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
	"time"

	"golang.org/x/oauth2"
)

func main() {
	for _, away := range []string{"503", "broken"} {
		asked := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			switch {
			case asked == 1:
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":"authorization_pending"}`)
			case away == "503":
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				c, _, _ := w.(http.Hijacker).Hijack()
				_ = c.Close()
			}
		}))
		c := oauth2.Config{ClientID: "c", Endpoint: oauth2.Endpoint{TokenURL: s.URL, AuthStyle: oauth2.AuthStyleInParams}}
		device := &oauth2.DeviceAuthResponse{DeviceCode: "d", Interval: 1, Expiry: time.Now().Add(10 * time.Minute)}
		_, err := c.DeviceAccessToken(context.Background(), device)
		fmt.Println(away, asked, err != nil)
		s.Close()
	}
}
END
go mod init finding >out 2>&1
go get golang.org/x/oauth2@v0.37.0 >>out 2>&1
seen=$(go run . | tr '\n' ',')
echo 'golang.org/x/oauth2 0.37.0'
echo "expected: it goes on until the code expires (RFC 8628 3.5); seen (what happens, requests, an error): $seen"
[ "$seen" = '503 2 true,broken 2 true,' ]
