package dma

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

const (
	// mostToken is how long a tag, a text or a comment may be, in bytes.
	mostToken = 8 << 10
	// chunk is how much of a file is read at a time.
	chunk = 16 << 10
)

// How a file is refused before its elements are looked at.
var (
	errEncoding = errors.New("an encoding that is not read")
	errTooLong  = errors.New("a tag or text that is too long")
)

// source gives a file as UTF-8, byte by byte, and stops what goes on for too long without a tag.
type source struct {
	file *bufio.Reader
	// latin says that the file has one byte for each character.
	latin bool
	// text is what was read and is UTF-8 already, from at on.
	text []byte
	at   int
	// head is how the present token begins, and left how much longer it may be.
	head [len("<!DOCTYPE")]byte
	left int
	err  error
}

// declared finds the encoding that an XML declaration names.
var declared = regexp.MustCompile(`^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']`)

// open looks at how a file is encoded: by its mark, else as its declaration says, else UTF-8.
func open(r io.Reader) (*source, error) {
	const most = 512
	s := &source{file: bufio.NewReaderSize(r, chunk), text: make([]byte, 0, 3*chunk)}
	head, err := s.file.Peek(most)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")) {
		_, _ = s.file.Discard(3) // it was peeked
		head = head[3:]
	}
	if bytes.HasPrefix(head, []byte("\xFE\xFF")) || bytes.HasPrefix(head, []byte("\xFF\xFE")) ||
		bytes.IndexByte(head[:min(4, len(head))], 0) >= 0 {
		return nil, errEncoding
	}
	found := declared.FindSubmatch(head)
	if found == nil {
		return s, nil
	}
	switch strings.ToLower(string(found[1])) {
	case "utf-8", "us-ascii":
	case "iso-8859-1", "windows-1252":
		// Whoever writes the first means the second: it has the signs that the first lacks.
		s.latin = true
	default:
		return nil, errEncoding
	}
	return s, nil
}

// next begins another token.
func (s *source) next() {
	if len(s.text)-s.at < len(s.head) {
		s.fill()
	}
	s.head, s.left = [len("<!DOCTYPE")]byte{}, mostToken
	copy(s.head[:], s.text[s.at:])
}

// isDoctype reports whether the present token declares a type of document. The decoder has read its
// bracket with the token before, in some places.
func (s *source) isDoctype() bool {
	return bytes.HasPrefix(bytes.TrimPrefix(s.head[:], []byte("<")), []byte("!DOCTYPE"))
}

// fill reads on, behind what was not taken yet.
func (s *source) fill() {
	s.text = s.text[:copy(s.text, s.text[s.at:])]
	s.at = 0
	if s.err != nil {
		return
	}
	var raw [chunk]byte
	n, err := s.file.Read(raw[:])
	s.err = err
	if !s.latin {
		s.text = append(s.text, raw[:n]...)
		return
	}
	for _, b := range raw[:n] {
		s.text = utf8.AppendRune(s.text, charmap.Windows1252.DecodeByte(b))
	}
}

// ReadByte implements io.ByteReader.
func (s *source) ReadByte() (byte, error) {
	for s.at == len(s.text) {
		if s.err != nil {
			return 0, s.err
		}
		s.fill()
	}
	if s.left == 0 {
		s.err = errTooLong
		return 0, s.err
	}
	s.left--
	b := s.text[s.at]
	s.at++
	return b, nil
}

// failed is why the file could not be read on, or nil at its end.
func (s *source) failed() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// Read implements io.Reader, which the decoder asks for and does not use.
func (s *source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}
