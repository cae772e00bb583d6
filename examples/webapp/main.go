// Command webapp serves a page that files declarations. It is an example of an application in a
// browser: all of it is static, and the browser itself speaks to the service, on another origin.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

// run is the program. It ends when the context does.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("webapp", flag.ContinueOnError)
	address := flags.String("addr", "127.0.0.1:5173", "where to listen")
	service := flags.String("api", "http://127.0.0.1:8080", "where the service is, without /v1")
	clientID := flags.String("client", "sandbox-payroll", "the client_id of this application, from its registration")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", *address)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by the server in general
	handler, err := newHandler("http://"+listener.Addr().String(), strings.TrimRight(*service, "/"), *clientID)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
	}
	fmt.Fprintf(out, "Open http://%s/\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

// newHandler serves the page at an origin, for a service. Any web server does the same: files, and
// these headers.
func newHandler(origin, service, clientID string) (http.Handler, error) {
	u, err := url.Parse(service)
	if err != nil || u.Host == "" || u.Path != "" || strings.ContainsAny(service, " ;,") {
		return nil, fmt.Errorf("%q is no origin, such as https://diresco.example", service)
	}
	settings, err := json.Marshal(map[string]string{"service": service, "client_id": clientID})
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	// Nothing is loaded from elsewhere, nothing is written into the page as HTML, and the service is
	// the one place that the page speaks to.
	policy := strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self' " + service,
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(settings)
	})
	mux.Handle("GET /", http.FileServerFS(files))
	// The service sends the browser back to this path.
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "index.html") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host != origin {
			// Under another name, such as localhost, the login would lead elsewhere.
			http.Redirect(w, r, origin+"/", http.StatusTemporaryRedirect)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}), nil
}
