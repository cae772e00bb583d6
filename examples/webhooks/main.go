// Command webhooks receives events, verifies that the service sent them, and keeps each once. It is
// an example of a receiver that may be stopped and started at any time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "webhooks:", err)
		os.Exit(1)
	}
}

// run is the program. It ends when the context does.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("webhooks", flag.ContinueOnError)
	address := flags.String("addr", "127.0.0.1:9099", "where to listen")
	dir := flags.String("data", "webhook-data", "the folder for keys and events")
	register := flags.Bool("register", false, "add this receiver to an application of the sandbox, once")
	rotate := flags.Bool("rotate", false, "have a new secret made; the one before works for another 24 hours")
	service := flags.String("api", "http://127.0.0.1:8080", "with -register: where the sandbox is, without /v1")
	owner := flags.String("owner", "consulente", "with -register: the test person who manages the application")
	clientID := flags.String("client", "sandbox-payroll", "with -register: the client_id of the application")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", *address)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by the server in general
	keys := keyFile{filepath.Join(*dir, "keys.json")}
	if *register {
		sandbox := sandbox{url: strings.TrimRight(*service, "/"), owner: *owner, clientID: *clientID}
		if err := sandbox.register(ctx, keys, "http://"+listener.Addr().String()+"/events", *rotate); err != nil {
			return fmt.Errorf("it was not registered: %w", err)
		}
	}
	known, err := keys.read()
	if err != nil {
		return err
	}
	verifier, err := newVerifier(known)
	if err != nil {
		return err
	}
	kept, err := openStore(filepath.Join(*dir, "events.jsonl"))
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	server := &http.Server{
		Handler: receiver{verifier, kept, out}.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	fmt.Fprintf(out, "Listening at http://%s/events; events are kept in %s\n", listener.Addr(), *dir)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// What is being kept is kept; what comes later is sent again.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

// largest is how many bytes of an event are read.
const largest = 256 << 10

// receiver takes events.
type receiver struct {
	verifier verifier
	store    *store
	out      io.Writer
}

func (r receiver) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /events", r.take)
	return mux
}

// take answers as soon as the event is on disk. Whatever is to be done about it is done later, by who
// reads the file: a receiver that is slow to answer is sent the event again.
func (r receiver) take(w http.ResponseWriter, sent *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, sent.Body, largest))
	if err != nil {
		http.Error(w, "not readable", http.StatusBadRequest)
		return
	}
	event, err := r.verifier.verify(sent.Header, body)
	if err != nil {
		fmt.Fprintln(r.out, "refused:", err)
		http.Error(w, "not verified", http.StatusUnauthorized)
		return
	}
	isNew, err := r.store.keep(sent.Header.Get(idHeader), body)
	if err != nil {
		fmt.Fprintln(r.out, "not kept:", err)
		http.Error(w, "not kept", http.StatusServiceUnavailable) // it is sent again
		return
	}
	if isNew {
		fmt.Fprintf(r.out, "%s: %s %s\n", event.Type, event.Data.Subject.Kind, event.Data.Subject.ID)
	}
	w.WriteHeader(http.StatusNoContent)
}
