package dma

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// mostToken is how long a tag, a text or a comment may be, in bytes.
const mostToken = 8 << 10

// How a file is refused before its elements are looked at.
var (
	errEncoding = errors.New("an encoding that is not read")
	errTooLong  = errors.New("a tag or text that is too long")
)

// source gives a file as UTF-8, byte by byte, and stops what goes on for too long without a tag.
type source struct {
	file *bufio.Reader
	// latin says that the file has one byte for each character.
	latin   bool
	pending []byte
	// head is how the present token begins, and taken how much of it was read.
	head  [len("<!DOCTYPE")]byte
	taken int
	err   error
}

// declared finds the encoding that an XML declaration names.
var declared = regexp.MustCompile(`^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']`)

// open looks at how a file is encoded: by its mark, else as its declaration says, else UTF-8.
func open(r io.Reader) (*source, error) {
	const most = 512
	s := &source{file: bufio.NewReaderSize(r, 32<<10)}
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
func (s *source) next() { s.taken = 0 }

// isDoctype reports whether the present token declares a type of document. The decoder has read its
// bracket with the token before, in some places.
func (s *source) isDoctype() bool {
	return bytes.HasPrefix(bytes.TrimPrefix(s.head[:min(s.taken, len(s.head))], []byte("<")), []byte("!DOCTYPE"))
}

// ReadByte implements io.ByteReader.
func (s *source) ReadByte() (byte, error) {
	if s.taken < len(s.head) {
		return s.readHead()
	}
	if s.taken >= mostToken {
		s.err = errTooLong
		return 0, s.err
	}
	return s.read()
}

func (s *source) readHead() (byte, error) {
	b, err := s.read()
	if err == nil {
		s.head[s.taken-1] = b
	}
	return b, err
}

func (s *source) read() (byte, error) {
	if len(s.pending) > 0 {
		b := s.pending[0]
		s.pending = s.pending[1:]
		s.taken++
		return b, nil
	}
	b, err := s.file.ReadByte()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			s.err = err
		}
		return 0, err
	}
	s.taken++
	if b < 0x80 || !s.latin {
		return b, nil
	}
	encoded := []byte(string(charmap.Windows1252.DecodeByte(b)))
	s.pending = encoded[1:]
	return encoded[0], nil
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
