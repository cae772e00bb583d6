package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	eventsName = "events"
	// openStreams are those that are open at once: one for each filer, who gets an event of each of
	// their declarations, and the rest for people who have nothing to do with these.
	openStreams = 500
	// streamsEach is how many streams a session has.
	streamsEach = 5
	// pacedRate is how many submissions a second come where they do not come as fast as they can.
	pacedRate = 1000
)

// streams are open streams of events, with what came.
type streams struct {
	client  *http.Client
	end     context.CancelFunc
	all     sync.WaitGroup
	mu      sync.Mutex
	waits   []time.Duration
	counted atomic.Bool
	broken  atomic.Int64
}

// events measures how soon an event is with who waits for it, and what the feed costs a submission.
// The feed is appended in any case: what is compared is the same with and without open streams.
func (b *bench) events(ctx context.Context) (err error) {
	if !b.options.only.MatchString(eventsName + ":") {
		return nil
	}
	submit := b.submit(true)
	submit.name = eventsName + ": submit, no streams"
	alone, err := b.measured(ctx, submit)
	if err != nil {
		return err
	}
	if err := b.world.logIn(ctx, b.server.address); err != nil {
		return err
	}
	open, err := b.openStreams(ctx)
	if err != nil {
		return err
	}
	defer open.close()
	submit = b.submit(true)
	submit.name = fmt.Sprintf("%s: submit, %d streams", eventsName, openStreams)
	beside, err := open.measured(ctx, b, submit)
	if err != nil {
		return err
	}
	compare(beside, alone, "without streams")
	paced := b.submit(true)
	paced.name = fmt.Sprintf("%s: submit at %d/s, %d streams", eventsName, pacedRate, openStreams)
	paced.worker = atPace(paced.worker, paced.clients)
	_, err = open.measured(ctx, b, paced)
	return err
}

// atPace has the clients together send so many requests a second, or as many as are answered.
func atPace(
	each func(context.Context, int) (worker, func(), error), clients int,
) func(context.Context, int) (worker, func(), error) {
	every := time.Second * time.Duration(clients) / pacedRate
	return func(ctx context.Context, i int) (worker, func(), error) {
		do, release, err := each(ctx, i)
		due := time.Now().Add(every * time.Duration(i) / time.Duration(clients))
		return func(ctx context.Context) (int, error) {
			pause(ctx, time.Until(due))
			due = due.Add(every)
			return do(ctx)
		}, release, err
	}
}

// measured runs a work and notes how long events took meanwhile: from the time of the audit record,
// which is just before its commit, until the reader has the event.
func (s *streams) measured(ctx context.Context, b *bench, w work) (*result, error) {
	s.mu.Lock()
	s.waits = nil
	s.mu.Unlock()
	s.counted.Store(true)
	r, err := b.measured(ctx, w)
	s.counted.Store(false)
	if err != nil || r == nil {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.waits)
	b.fact("%s: %d events came, from commit to consumer p50 %s, p99 %s; %d of %d streams broke off", w.name, len(s.waits),
		milliseconds(quantile(s.waits, 0.5)), milliseconds(quantile(s.waits, 0.99)), s.broken.Load(), openStreams)
	return r, nil
}

// openStreams opens the streams and returns when all are open.
func (b *bench) openStreams(ctx context.Context) (*streams, error) {
	streaming, end := context.WithCancel(ctx)
	s := &streams{end: end, client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: openStreams + 1}}}
	for _, f := range b.world.filers {
		if err := s.open(streaming, b.server.address, f.token); err != nil {
			s.close()
			return nil, err
		}
	}
	left := openStreams - len(b.world.filers)
	for left > 0 {
		for _, u := range b.world.logins {
			token, err := logInAnew(ctx, b.server.address, u.taxCode, b.world.pin)
			for range min(left, streamsEach) {
				if err == nil {
					err = s.open(streaming, b.server.address, token)
				}
				left--
			}
			if err != nil {
				s.close()
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *streams) close() {
	s.end()
	s.all.Wait()
	s.client.CloseIdleConnections()
}

// open opens one stream and reads it until all are closed.
func (s *streams) open(ctx context.Context, address, token string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/events/stream", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := s.client.Do(request) //nolint:bodyclose // by the reader
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.Join(refused(response.StatusCode, nil), response.Body.Close())
	}
	s.all.Go(func() {
		defer func() { _ = response.Body.Close() }()
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				s.note(data)
			}
		}
		if ctx.Err() == nil {
			s.broken.Add(1)
		}
	})
	return nil
}

func (s *streams) note(data string) {
	now := time.Now()
	var e struct {
		At time.Time `json:"at"`
	}
	if !s.counted.Load() || json.Unmarshal([]byte(data), &e) != nil || e.At.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = append(s.waits, now.Sub(e.At))
}

// logInAnew begins one more session.
func logInAnew(ctx context.Context, address, taxCode, pin string) (string, error) {
	c, err := dial(ctx, address, nil)
	if err != nil {
		return "", err
	}
	defer c.close()
	status, err := c.do(ctx, loginCall(address, taxCode, pin).next())
	if err != nil {
		return "", err
	}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(c.body, &session); err != nil || status != http.StatusCreated {
		return "", errors.Join(err, refused(status, c.body))
	}
	return session.AccessToken, nil
}
