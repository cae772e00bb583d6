package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestBench_ReadAnswer(t *testing.T) {
	for _, c := range []struct {
		name, text string
		status     int
		body       string
		fails      bool
	}{
		{"with a length", "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\nhello", 201, "hello", false},
		{
			"in chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n, world!!!\r\n0\r\n\r\n", 200,
			"hello, world!!!", false,
		},
		{"without a body", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		{"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 0, "", true},
		{"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 0, "", true},
		{"cut in the headers", "HTTP/1.1 200 OK\r\nContent-Le", 0, "", true},
		{"a wrong length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, "", true},
		{"a wrong chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", 0, "", true},
		{"something else", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := &connection{reader: bufio.NewReader(strings.NewReader(c.text))}
			status, err := conn.read()
			if (err != nil) != c.fails {
				t.Fatalf("error is %v", err)
			}
			if c.fails {
				return
			}
			if status != c.status || string(conn.body) != c.body {
				t.Errorf("read %d %q", status, conn.body)
			}
			if _, err := conn.reader.ReadByte(); !errors.Is(err, io.EOF) {
				t.Error("something is left for the next answer")
			}
		})
	}
}

func TestBench_ABodyLongerThanTheBuffer(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	conn := &connection{reader: bufio.NewReaderSize(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"+long), 64)}
	if status, err := conn.read(); err != nil || status != 200 || string(conn.body) != long {
		t.Errorf("read %d, %d bytes: %v", status, len(conn.body), err)
	}
}

func TestBench_Call(t *testing.T) {
	plain := newCall("GET", "/v1/status", "localhost:1", "token", nil, false)
	if got, want := string(plain.next()), "GET /v1/status HTTP/1.1\r\nHost: localhost:1\r\nAccept: application/json\r\nAuthorization: "+
		"Bearer token\r\n\r\n"; got != want {
		t.Errorf("got %q", got)
	}
	keyed := newCall("POST", "/v1/x", "localhost:1", "", []byte("{}"), true)
	first := string(keyed.next())
	second := string(keyed.next())
	if first == second || len(first) != len(second) || !strings.HasSuffix(first, "\r\n\r\n{}") ||
		!strings.Contains(first, "\r\nContent-Length: 2\r\nIdempotency-Key: ") {
		t.Errorf("got %q, then %q", first, second)
	}
}

func TestBench_Quantile(t *testing.T) {
	times := make([]time.Duration, 100)
	for i := range times {
		times[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		sorted []time.Duration
		q      float64
		want   time.Duration
	}{{times, 0.5, 50}, {times, 0.99, 99}, {times, 1, 100}, {times, 0, 1}, {times[:1], 0.99, 1}, {times[:3], 0.5, 2}, {nil, 0.5, 0}} {
		if got := quantile(c.sorted, c.q); got != c.want {
			t.Errorf("the %v quantile of %d times is %d, not %d", c.q, len(c.sorted), got, c.want)
		}
	}
	if got := median([]time.Duration{9, 1, 5}); got != 5 {
		t.Errorf("the median of unsorted times is %d", got)
	}
}

func TestBench_Table(t *testing.T) {
	var tab table
	tab.add("work", "req/s")
	tab.add("àè", thousands(1234567.8))
	var b strings.Builder
	tab.print(&b)
	if want := "| work | req/s     |\n|------|-----------|\n| àè   | 1,234,568 |\n\n"; b.String() != want {
		t.Errorf("printed\n%s", b.String())
	}
	for number, want := range map[float64]string{0: "0.0", 99.94: "99.9", 999: "999", 1000: "1,000"} {
		if got := thousands(number); got != want {
			t.Errorf("%v is written %s", number, got)
		}
	}
}

func TestBench_AWrongPINIsWellFormed(t *testing.T) {
	for _, right := range []string{"7K3MQ9XA", "7K3MQ9XB"} {
		if wrong := wrongPIN(right); wrong == right || len(wrong) != len(right) || wrong[:7] != right[:7] {
			t.Errorf("%s became %s", right, wrong)
		}
	}
}

// What rounds gave is one result, whose quantiles are those of all of them.
func TestBench_RoundsAddUp(t *testing.T) {
	r := &result{elapsed: time.Second, times: []time.Duration{2, 4}, answers: map[int]int{200: 2}, peak: 7, wal: 10}
	r.server = 3
	r.add(&result{
		elapsed: time.Second, times: []time.Duration{1, 3}, answers: map[int]int{200: 2, 409: 1}, unexpected: 1, example: "answer 500",
		peak: 5, wal: 20, usage: usage{server: 4, machine: 9},
	})
	if r.rate() != 2 || r.quantile(0.5) != 2 || r.answers[200] != 4 || r.answers[409] != 1 || r.unexpected != 1 ||
		r.example != "answer 500" || r.peak != 7 || r.wal != 30 || r.server != 7 || r.machine != 9 {
		t.Errorf("together %+v", r)
	}
}
