package main

import (
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is the joined text, its YAML, and the changes to make to its lines. The YAML is read to
// know what stands where, and never written back: that would lose comments and the form in which
// values were written.
type document struct {
	text text
	root *yaml.Node
	// before are lines to write before the one of that index, and dropped are lines to leave out.
	before  map[int]text
	dropped map[int]bool
}

func read(t text) (*document, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(t.bytes(), &root); err != nil {
		return nil, t.locate(err)
	}
	if len(root.Content) == 0 {
		return nil, fmt.Errorf("%s is empty", head)
	}
	return &document{text: t, root: root.Content[0], before: map[int]text{}, dropped: map[int]bool{}}, nil
}

var yamlLine = regexp.MustCompile(`^yaml: line ([0-9]+): `)

// locate makes an error about a line of the whole one about the line of the part.
func (t text) locate(err error) error {
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		if n, convErr := strconv.Atoi(match[1]); convErr == nil && n > 0 && n <= len(t) {
			return t[n-1].fault("%s", strings.TrimPrefix(err.Error(), match[0]))
		}
	}
	return err
}

// fault is an error about the line where n stands.
func (d *document) fault(n *yaml.Node, format string, args ...any) error {
	return d.text[n.Line-1].fault(format, args...)
}

// end is the index of the line after all that the key holds, blank lines behind it left out.
func (d *document) end(key *yaml.Node) int {
	end := key.Line
	for i := end; i < len(d.text); i++ {
		content := strings.TrimLeft(d.text[i].text, " ")
		if content == "" {
			continue
		}
		if len(d.text[i].text)-len(content) < key.Column {
			break
		}
		end = i + 1
	}
	return end
}

// drop takes the key and all that it holds away.
func (d *document) drop(key *yaml.Node) {
	for i := key.Line - 1; i < d.end(key); i++ {
		d.dropped[i] = true
	}
}

// write puts lines before the one of that index. They count as written where n stands.
func (d *document) write(index int, n *yaml.Node, indent int, lines ...string) {
	for _, written := range lines {
		l := d.text[n.Line-1]
		l.text = strings.Repeat(" ", indent) + written
		d.before[index] = append(d.before[index], l)
	}
}

// changed is the text with all changes made.
func (d *document) changed() text {
	var t text
	for i := range len(d.text) + 1 {
		t = append(t, d.before[i]...)
		if i < len(d.text) && !d.dropped[i] {
			t = append(t, d.text[i])
		}
	}
	return t
}

// members are the keys and values of a mapping, in their order.
func members(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// member finds a key of a mapping, and what it holds; nil if there is none.
func member(n *yaml.Node, name string) (key, value *yaml.Node) {
	for k, v := range members(n) {
		if k.Value == name {
			return k, v
		}
	}
	return nil, nil
}

// at follows keys from a mapping inwards; nil if one is missing.
func at(n *yaml.Node, names ...string) *yaml.Node {
	for _, name := range names {
		_, n = member(n, name)
	}
	return n
}

// reference is the name that a $ref ends with, and "" for what is written in place.
func reference(n *yaml.Node) string {
	ref := at(n, "$ref")
	if ref == nil {
		return ""
	}
	return ref.Value[strings.LastIndex(ref.Value, "/")+1:]
}
