package clamd_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"diresco/internal/platform/clamd"
)

// daemon is one that answers by a rule of its own. It reads at most so many bytes of a file.
type daemon struct {
	most   int
	answer func(command string, content []byte) string
	// early is what it says to more; "" is that it takes no more.
	early string
}

// serve answers on a listener until the test ends.
func (d daemon) serve(t *testing.T, listener net.Listener) {
	t.Helper()
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, d.hear(c))
			_ = c.Close()
		}
	}()
}

func (d daemon) hear(c io.Reader) string {
	var command []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(c, one); err != nil {
			return ""
		}
		if one[0] == 0 {
			break
		}
		command = append(command, one[0])
	}
	var content []byte
	for string(command) == "zINSTREAM" {
		var length uint32
		if binary.Read(c, binary.BigEndian, &length) != nil {
			return ""
		}
		if length == 0 {
			break
		}
		if len(content)+int(length) > d.most {
			return cmp.Or(d.early, "INSTREAM size limit exceeded. ERROR\x00")
		}
		piece := make([]byte, length)
		if _, err := io.ReadFull(c, piece); err != nil {
			return ""
		}
		content = append(content, piece...)
	}
	return d.answer(string(command), content)
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// client is one of a daemon by a socket.
func client(t *testing.T, d daemon) *clamd.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clamd.sock")
	d.serve(t, listen(t, "unix", path))
	c, err := clamd.New("unix:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func says(reply string) daemon {
	return daemon{most: 1 << 30, answer: func(string, []byte) string { return reply }}
}

// What was not heard to its end was not scanned, whatever the answer.
func TestClamd_AnEarlyAnswerIsNone(t *testing.T) {
	c := client(t, daemon{most: 1 << 10, early: "stream: OK\x00"})
	if finding, err := c.Scan(t.Context(), bytes.NewReader(make([]byte, 64<<20))); err == nil {
		t.Errorf("a file that was not sent whole is %q", finding)
	}
}

func TestClamd_SendsAllOfAFile(t *testing.T) {
	for _, length := range []int{0, 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		content := bytes.Repeat([]byte("a\x00b"), length)[:length]
		got := make(chan []byte, 1)
		c := client(t, daemon{most: 1 << 30, answer: func(command string, sent []byte) string {
			got <- append([]byte(command+" "), sent...)
			return "stream: OK\x00"
		}})
		finding, err := c.Scan(t.Context(), bytes.NewReader(content))
		if err != nil || finding != "" {
			t.Fatalf("%d bytes: %q, %v", length, finding, err)
		}
		if sent := <-got; !bytes.Equal(sent, append([]byte("zINSTREAM "), content...)) {
			t.Errorf("of %d bytes %d were sent", length, len(sent))
		}
	}
}

func TestClamd_UnderstandsWhatItIsTold(t *testing.T) {
	for reply, want := range map[string]string{
		"stream: Eicar-Test-Signature FOUND\x00": "Eicar-Test-Signature", "stream: a\nb\xff FOUND\x00": "a?b?",
		"stream: OK\x00": "",
	} {
		if finding, err := client(t, says(reply)).Scan(t.Context(), strings.NewReader("x")); err != nil || finding != want {
			t.Errorf("%q: %q, %v", reply, finding, err)
		}
	}
	// What it does not understand is no leave.
	for _, reply := range []string{
		"", "\x00", "OK", "stream: OK", "stream: OKAY\x00", "stream:  FOUND\x00", "stream: Can't allocate memory ERROR\x00", "UNKNOWN COMMAND\x00",
		"stream: OK ERROR\x00", strings.Repeat("a", 10_000) + "\x00",
	} {
		if finding, err := client(t, says(reply)).Scan(t.Context(), strings.NewReader("x")); err == nil {
			t.Errorf("%q: %q", reply, finding)
		}
	}
	_, err := client(t, daemon{most: 100_000}).Scan(t.Context(), bytes.NewReader(make([]byte, 8<<20)))
	if !errors.Is(err, clamd.ErrTooLong) {
		t.Errorf("a file that is too long: %v", err)
	}
	broken := errors.New("the file broke off")
	if _, err := client(t, says("stream: OK\x00")).Scan(t.Context(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a file that breaks off: %v", err)
	}
	if err := client(t, says("PONG\x00")).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := client(t, says("NO\x00")).Ping(t.Context()); err == nil {
		t.Error("anything is taken for an answer")
	}
}

func TestClamd_WaitsNoLongerThanItsContext(t *testing.T) {
	l := listen(t, "unix", filepath.Join(t.TempDir(), "clamd.sock"))
	t.Cleanup(func() { _ = l.Close() })
	c, err := clamd.New("unix:"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		connection, err := l.Accept()
		if err == nil {
			_, _ = io.ReadFull(connection, make([]byte, 1))
			cancel()
		}
	}()
	if _, err := c.Scan(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClamd_ReachesAllowedNetworksAlone(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	says("PONG\x00").serve(t, l)
	for network, want := range map[string]bool{"127.0.0.0/8": true, "10.0.0.0/8": false} {
		c, err := clamd.New("tcp://"+l.Addr().String(), []netip.Prefix{netip.MustParsePrefix(network)})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Ping(t.Context()) == nil; got != want {
			t.Errorf("%s: %t", network, got)
		}
	}
	for _, wrong := range []string{
		"", "127.0.0.1:3310", "tcp://127.0.0.1", "tcp://:3310", "tcp://a:3310/b", "tcp://u@a:3310", "unix:", "unix:clamd", "unix://a/b", "http://a:1",
	} {
		if _, err := clamd.New(wrong, nil); err == nil {
			t.Errorf("%q is an address", wrong)
		}
	}
}
