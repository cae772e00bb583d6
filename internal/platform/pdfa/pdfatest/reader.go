// Package pdfatest reads documents back, for tests. It holds them to the rules of PDF/A-2u and
// PDF/UA-1 that a document of ours could break.
package pdfatest

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The values of a PDF beside numbers (float64) and booleans.
type (
	name  string
	ref   int
	bytez string // a string
	array []any
	dict  map[string]any
	op    string // an operator, or another word
)

// File is a document that was read.
type File struct {
	raw     []byte
	objects map[int]any
	streams map[int][]byte // unpacked
	trailer dict
}

const largest = 64 << 20 // what a stream may unpack to, in bytes

var objectBegins = regexp.MustCompile(`^(\d+) 0 obj\n`)

// Open reads a document by its table of references.
func Open(pdf []byte) (*File, error) {
	f := &File{raw: pdf, objects: map[int]any{}, streams: map[int][]byte{}}
	at := bytes.LastIndex(pdf, []byte("startxref\n"))
	if at < 0 {
		return nil, fmt.Errorf("no references")
	}
	var table, count int
	if _, err := fmt.Sscanf(string(pdf[at:]), "startxref\n%d\n%%%%EOF\n", &table); err != nil {
		return nil, err
	}
	if _, err := fmt.Sscanf(string(pdf[table:]), "xref\n0 %d\n", &count); err != nil {
		return nil, err
	}
	lines := strings.Split(string(pdf[table:at]), "\n")[2:]
	for i := 1; i < count; i++ {
		offset, err := strconv.Atoi(lines[i][:10])
		if err != nil || len(lines[i]) != 19 {
			return nil, fmt.Errorf("reference %q", lines[i])
		}
		match := objectBegins.FindSubmatch(pdf[offset:])
		if match == nil || string(match[1]) != strconv.Itoa(i) {
			return nil, fmt.Errorf("object %d does not begin at %d", i, offset)
		}
		s := &scanner{b: pdf, at: offset + len(match[0])}
		f.objects[i] = s.value()
		if d, ok := f.objects[i].(dict); ok && s.word("stream\n") {
			length := int(d["Length"].(float64))
			content := pdf[s.at : s.at+length]
			s.at += length
			if !s.word("endstream") {
				return nil, fmt.Errorf("stream %d has another length", i)
			}
			if d["Filter"] == name("FlateDecode") {
				if content, err = unpack(content); err != nil {
					return nil, fmt.Errorf("stream %d: %w", i, err)
				}
			}
			f.streams[i] = content
		}
		if !s.word("endobj\n") {
			return nil, fmt.Errorf("object %d does not end where it should", i)
		}
	}
	s := &scanner{b: []byte(strings.Join(lines[count:], "\n"))}
	if !s.word("trailer\n") {
		return nil, fmt.Errorf("no trailer")
	}
	f.trailer, _ = s.value().(dict)
	return f, nil
}

func unpack(packed []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, largest))
}

// get follows a reference.
func (f *File) get(v any) any {
	if r, ok := v.(ref); ok {
		return f.objects[int(r)]
	}
	return v
}

// dict follows a path of names from a dictionary to another one.
func (f *File) dict(v any, path ...string) dict {
	d, _ := f.get(v).(dict)
	for _, p := range path {
		d, _ = f.get(d[p]).(dict)
	}
	return d
}

func (f *File) array(v any) array {
	a, _ := f.get(v).(array)
	return a
}

func (f *File) catalogue() dict { return f.dict(f.trailer["Root"]) }

// pages returns the numbers of the objects of the pages.
func (f *File) pages() []ref {
	var all []ref
	for _, kid := range f.array(f.dict(f.catalogue(), "Pages")["Kids"]) {
		all = append(all, kid.(ref))
	}
	return all
}

// content returns what draws a page.
func (f *File) content(page ref) []token {
	contents, _ := f.dict(page)["Contents"].(ref)
	s := &scanner{b: f.streams[int(contents)]}
	var all []token
	var operands []any
	for {
		switch v := s.value().(type) {
		case nil:
			return all
		case op:
			all = append(all, token{v, operands})
			operands = nil
		default:
			operands = append(operands, v)
		}
	}
}

// token is an operator with its operands.
type token struct {
	op       op
	operands []any
}

// said is a text string.
func said(v any) string {
	b, _ := v.(bytez)
	if rest, ok := strings.CutPrefix(string(b), "\xfe\xff"); ok {
		return wide(rest)
	}
	return string(b)
}

func wide(b string) string {
	var units []uint16
	for _, code := range codes(b) {
		units = append(units, uint16(code)) //nolint:gosec // two bytes each
	}
	return string(utf16.Decode(units))
}

func codes(b string) []int {
	var all []int
	for i := 0; i+1 < len(b); i += 2 {
		all = append(all, int(b[i])<<8|int(b[i+1]))
	}
	return all
}

// scanner reads values one after the other.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) skip() {
	for s.at < len(s.b) && strings.IndexByte(" \t\r\n\f\x00", s.b[s.at]) >= 0 {
		s.at++
	}
}

// word takes a word if it is next.
func (s *scanner) word(w string) bool {
	s.skip()
	if !bytes.HasPrefix(s.b[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

const delimiters = " \t\r\n\f\x00()<>[]{}/%"

func (s *scanner) regular() string {
	begin := s.at
	for s.at < len(s.b) && strings.IndexByte(delimiters, s.b[s.at]) < 0 {
		s.at++
	}
	return string(s.b[begin:s.at])
}

var isReference = regexp.MustCompile(`^\s+0\s+R\b`)

// value returns the next value, nil at the end.
func (s *scanner) value() any {
	s.skip()
	switch {
	case s.at >= len(s.b):
		return nil
	case s.word("<<"):
		d := dict{}
		for !s.word(">>") {
			key := s.value().(name)
			d[string(key)] = s.value()
		}
		return d
	case s.word("<"):
		digits, _, _ := bytes.Cut(s.b[s.at:], []byte(">"))
		s.at += len(digits) + 1
		b, err := hex.DecodeString(string(digits))
		if err != nil {
			return op("wrong:" + string(digits))
		}
		return bytez(b)
	case s.word("["):
		a := array{}
		for !s.word("]") {
			a = append(a, s.value())
		}
		return a
	case s.word("("):
		return s.literal()
	case s.word("/"):
		return name(s.regular())
	}
	word := s.regular()
	if word == "" {
		s.at++
		return op(s.b[s.at-1 : s.at])
	}
	switch number, err := strconv.ParseFloat(word, 64); {
	case err == nil:
		if m := isReference.Find(s.b[s.at:min(len(s.b), s.at+12)]); m != nil {
			s.at += len(m)
			return ref(int(number))
		}
		return number
	case word == "true" || word == "false":
		return word == "true"
	}
	return op(word)
}

func (s *scanner) literal() bytez {
	var b strings.Builder
	for depth := 1; ; s.at++ {
		switch c := s.b[s.at]; c {
		case '\\':
			s.at++
			if c = s.b[s.at]; c == 'r' {
				c = '\r'
			}
			b.WriteByte(c)
			continue
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				s.at++
				return bytez(b.String())
			}
		}
		b.WriteByte(s.b[s.at])
	}
}
