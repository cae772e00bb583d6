package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// head is the file that says in which order the parts stand.
const head = "head.yaml"

// released is the contract as it was released last, whole. It is no part.
const released = "released.yaml"

// marker begins a line that stands for a part; the name of the part's file follows.
const marker = "# part: "

// line is one line of the contract, and where it was written.
type line struct {
	text   string
	file   string
	number int
}

// fault is an error about this line.
func (l line) fault(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", path.Join(parts, l.file), l.number, fmt.Sprintf(format, args...))
}

// text is the contract while it is being written.
type text []line

func (t text) bytes() []byte {
	var b bytes.Buffer
	for _, l := range t {
		b.WriteString(l.text)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// joinParts puts the parts in the place of their markers, indented like these. Every file is used
// exactly once, so that nothing is written and then forgotten.
func joinParts(files fs.FS) (text, error) {
	j := joiner{files: files, used: []string{head, released}}
	if err := j.add(head, ""); err != nil {
		return nil, err
	}
	return j.text, fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Ext(name) == ".yaml" && !slices.Contains(j.used, name) {
			return fmt.Errorf("%s: no line %q in %s names it", path.Join(parts, name), marker+name, head)
		}
		return err
	})
}

type joiner struct {
	files fs.FS
	used  []string
	text  text
}

func (j *joiner) add(name, indent string) error {
	content, err := fs.ReadFile(j.files, name)
	if err != nil {
		return err
	}
	for i, written := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		l := line{file: name, number: i + 1}
		if written != "" {
			l.text = indent + written
		}
		trimmed := strings.TrimLeft(written, " ")
		part, isMarker := strings.CutPrefix(trimmed, marker)
		switch {
		case !isMarker:
			j.text = append(j.text, l)
		case name != head:
			return l.fault("only %s names parts", head)
		case slices.Contains(j.used, part):
			return l.fault("%s has a place already", part)
		default:
			j.used = append(j.used, part)
			if err := j.add(part, strings.TrimSuffix(written, trimmed)); err != nil {
				return l.fault("%v", err)
			}
		}
	}
	return nil
}
