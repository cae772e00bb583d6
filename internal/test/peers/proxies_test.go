//go:build peers

package peers

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/test/dbtest"
)

// nginx starts nginx, which compresses all that it can, in front of the program.
func nginx(s sandbox) site {
	t := s.t
	t.Helper()
	port := freePort(t)
	dir := t.TempDir()
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "  %s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	_, file := place(t, fmt.Sprintf(`daemon off;
worker_processes 1;
error_log stderr;
pid %s;
events { worker_connections 256; }
http {
  access_log off;
%s  gzip on;
  gzip_min_length 1;
  gzip_proxied any;
  gzip_types application/json application/problem+json;
  server {
    listen 127.0.0.1:%s;
    location / {
      proxy_pass http://127.0.0.1:%s;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`, filepath.Join(dir, "pid"), &temporary, port, s.port))
	command := exec.CommandContext(context.WithoutCancel(t.Context()), peer(t, "nginx"), "-p", dir, "-e", "stderr", "-c", file)
	unprivileged(t, command, filepath.Dir(file))
	unprivileged(t, command, dir)
	run(t, command).listens(port)
	return site{t, "http://127.0.0.1:" + port}
}

// TestNginx_CompressesAndNothingBreaks: the tag of a compressed answer comes back weak, and a
// change is made with it all the same.
func TestNginx_CompressesAndNothingBreaks(t *testing.T) {
	at := nginx(start(t, dbtest.Postgres(t)))
	compressed := map[string]string{"Accept-Encoding": "gzip"}
	e := at.employer()
	path := "/v1/declarations/" + e.declare(false).field(t, "declaration_id").(string)
	drafted := e.do(request{method: http.MethodGet, path: path, token: e.token, header: compressed}, http.StatusOK)
	if drafted.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(drafted.header.Get("ETag"), "W/") {
		t.Fatalf("nginx does not compress: %v", drafted.header)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(drafted.body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unpacked); err != nil || !strings.Contains(string(text), `"draft"`) {
		t.Errorf("%s, %v", text, err)
	}
	tag := drafted.header.Get("ETag")
	known := map[string]string{"If-None-Match": tag}
	e.do(request{method: http.MethodGet, path: path, token: e.token, header: known}, http.StatusNotModified)
	changed := request{
		method: http.MethodPatch, path: path, token: e.token, body: map[string]any{"content": e.content},
		header: map[string]string{"If-Match": tag, "Content-Type": "application/merge-patch+json", "Accept-Encoding": "gzip"},
	}
	e.do(changed, http.StatusOK)
	e.do(changed, http.StatusPreconditionFailed) // it is another version by now
	for _, path := range []string{"/v1/status", "/docs", "/openapi.yaml"} {
		if a := at.do(request{method: http.MethodHead, path: path, header: compressed}, http.StatusOK); len(a.body) != 0 {
			t.Errorf("HEAD %s has a body", path)
		}
	}
	at.story(4)
}

// TestNginx_ClientsAreToldApart: behind the proxy each client has its own limit, whatever they
// write into the header themselves.
func TestNginx_ClientsAreToldApart(t *testing.T) {
	at := nginx(start(t, dbtest.Postgres(t), "TRUSTED_PROXIES=127.0.0.1/32", "RATE_ADDRESS=5"))
	ask := func(forwarded string) int {
		header := map[string]string{"X-Forwarded-For": forwarded}
		a, err := at.send(request{method: http.MethodGet, path: "/v1/declaration-types", header: header})
		if err != nil {
			t.Fatal(err)
		}
		return a.status
	}
	limited := func(forwarded string) bool {
		for range 12 {
			if ask(forwarded) == http.StatusTooManyRequests {
				return true
			}
		}
		return false
	}
	if !limited("203.0.113.66:4711") {
		t.Fatal("one client asks as often as it likes")
	}
	for _, other := range []string{"203.0.113.67:4711", "[2001:db8::1]:443", "203.0.113.68"} {
		if got := ask(other); got != http.StatusOK {
			t.Errorf("%s pays for another: %d", other, got)
		}
	}
	if got := ask("198.51.100.9, 203.0.113.66"); got != http.StatusTooManyRequests {
		t.Errorf("a client that writes another address before its own: %d", got)
	}
}

// TestHAProxy_ChecksByHEAD: the balancer takes the program for well, and hands requests on.
func TestHAProxy_ChecksByHEAD(t *testing.T) {
	s := start(t, dbtest.Postgres(t))
	port := freePort(t)
	_, file := place(t, fmt.Sprintf(`global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend all
  bind 127.0.0.1:%s
  stats enable
  stats uri /balancer
  default_backend program
backend program
  option httpchk HEAD /v1/status
  http-check expect status 200
  option forwardfor
  server one 127.0.0.1:%s check inter 200ms rise 2 fall 2
`, port, s.port))
	command := exec.CommandContext(context.WithoutCancel(t.Context()), peer(t, "haproxy"), "-db", "-f", file)
	unprivileged(t, command, filepath.Dir(file))
	run(t, command).listens(port)
	at := site{t, "http://127.0.0.1:" + port}
	// state returns the state of the program there, and what its last check said.
	state := func() string {
		table := at.do(request{method: http.MethodGet, path: "/balancer;csv"}, http.StatusOK)
		for _, line := range strings.Split(string(table.body), "\n") {
			if strings.HasPrefix(line, "program,one,") {
				return line
			}
		}
		return ""
	}
	eventually(t, "the check passes", func() bool { return strings.Contains(state(), ",UP,") && strings.Contains(state(), ",L7OK,") })
	at.story(8)
	s.end()
	eventually(t, "the check fails", func() bool { return strings.Contains(state(), ",DOWN,") })
}
