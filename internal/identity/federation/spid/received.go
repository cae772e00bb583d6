package spid

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
)

// The namespaces of what an answer is made of.
const (
	protocolSpace  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionSpace = "urn:oasis:names:tc:SAML:2.0:assertion"
	signatureSpace = "http://www.w3.org/2000/09/xmldsig#"
)

// received is an answer as it came. Nothing of it is believed: it can only be refused.
type received struct{ root *etree.Element }

const (
	// maxDepth is how deep elements may stand in each other; real answers have ten levels.
	maxDepth = 40
	// maxElements is how many elements an answer may have; real ones have less than 150.
	maxElements = 2000
	// maxAttributes is how many XML attributes one element may have.
	maxAttributes = 40
)

// parse reads an answer that has a bearable form, or names the rule that is broken.
func parse(raw []byte) (received, string) {
	if broken := checkForm(raw); broken != "" {
		return received{}, broken
	}
	document := etree.NewDocument()
	if err := document.ReadFromBytes(raw); err != nil || document.Root() == nil {
		return received{}, "xml"
	}
	return received{document.Root()}, ""
}

// checkForm looks at the form alone, without keeping anything.
func checkForm(raw []byte) string {
	depth, elements := 0, 0
	for decoder := xml.NewDecoder(bytes.NewReader(raw)); ; { //nolint:gosec // tokens are counted, nothing is made of them
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return "xml"
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			elements++
			if depth > maxDepth || elements > maxElements || len(t.Attr) > maxAttributes {
				return "xml-bounds"
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return "xml-doctype"
		case xml.ProcInst:
			if t.Target != "xml" {
				return "xml-instruction"
			}
		}
	}
}

// spaceOf is the namespace of the elements that rules name.
func spaceOf(tag string) string {
	switch tag {
	case "Response", "Status", "StatusCode":
		return protocolSpace
	case "Signature":
		return signatureSpace
	}
	return assertionSpace
}

func is(e *etree.Element, tag string) bool { return e.Tag == tag && e.NamespaceURI() == spaceOf(tag) }

// children are those of a name that stand directly in e.
func children(e *etree.Element, tag string) []*etree.Element {
	var all []*etree.Element
	for _, child := range e.ChildElements() {
		if is(child, tag) {
			all = append(all, child)
		}
	}
	return all
}

// at follows a path from the root. It returns nil where a step leads to none or to several.
func (r received) at(path ...string) *etree.Element {
	e := r.root
	for _, tag := range path {
		all := children(e, tag)
		if len(all) != 1 {
			return nil
		}
		e = all[0]
	}
	return e
}

// everywhere are all elements of a name, in whatever namespace.
func (r received) everywhere(tags ...string) []*etree.Element {
	var all []*etree.Element
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		for _, tag := range tags {
			if e.Tag == tag {
				all = append(all, e)
			}
		}
		for _, child := range e.ChildElements() {
			walk(child)
		}
	}
	walk(r.root)
	return all
}

// attribute returns the value of an attribute without a prefix, trimmed, and whether it is there.
func attribute(e *etree.Element, name string) (string, bool) {
	if e != nil {
		for _, a := range e.Attr {
			if a.Space == "" && a.Key == name {
				return strings.TrimSpace(a.Value), true
			}
		}
	}
	return "", false
}

// has tells whether an element has an attribute with exactly this value.
func has(e *etree.Element, name, value string) bool {
	given, there := attribute(e, name)
	return there && given == value
}

// filled tells whether an element has an attribute that is not empty.
func filled(e *etree.Element, name string) bool {
	given, _ := attribute(e, name)
	return given != ""
}

// succeeded tells whether the answer says that somebody was let in.
func (r received) succeeded() bool {
	return has(r.at("Status", "StatusCode"), "Value", saml.StatusSuccess)
}
