package pdfatest

import (
	"fmt"
	"slices"
	"strings"
)

// painting are the operators that leave something on the page.
var painting = []op{"Tj", "TJ", "'", "\"", "Do", "f", "F", "f*", "B", "B*", "b", "b*", "S", "s", "sh", "BI"}

// piece is a piece of marked content.
type piece struct {
	tag    name
	text   string
	actual *string
}

// place says where a piece stands.
type place struct {
	page ref
	id   int
}

// pieces returns the marked content of a page by its ids, and notes which codes are shown in which
// font.
func (c *checker) pieces(page ref, shown map[string]map[int]bool) []piece {
	var all []piece
	var open []token
	font := ""
	for _, t := range c.content(page) {
		c.must(!strings.HasPrefix(string(t.op), "wrong"), "page %d: %s", page, t.op)
		switch t.op {
		case "BDC", "BMC":
			open = append(open, t)
			c.must(len(open) == 1, "page %d: marked content in marked content", page)
			if t.op == "BDC" {
				d, _ := t.operands[1].(dict)
				c.must(d["MCID"] == float64(len(all)), "page %d: piece %v comes as number %d", page, d["MCID"], len(all))
				p := piece{tag: t.operands[0].(name)}
				if actual, ok := d["ActualText"]; ok {
					word := said(actual)
					p.actual = &word
				}
				all = append(all, p)
			} else {
				c.must(t.operands[0] == name("Artifact"), "page %d: %v without an id", page, t.operands[0])
			}
		case "EMC":
			c.must(len(open) == 1, "page %d: EMC without a beginning", page)
			open = nil
		case "Tf":
			font = string(t.operands[0].(name))
		case "Tj":
			shows, _ := t.operands[0].(bytez)
			if shown[font] == nil {
				shown[font] = map[int]bool{}
			}
			for _, code := range codes(string(shows)) {
				shown[font][code] = true
			}
			if len(open) == 1 && open[0].op == "BDC" {
				all[len(all)-1].text += wide(string(shows))
			}
		}
		if slices.Contains(painting, t.op) {
			c.must(len(open) == 1, "page %d: %s outside marked content", page, t.op)
		}
	}
	c.must(len(open) == 0, "page %d: marked content does not end", page)
	return all
}

// read reads all pages, and what leads from them to elements.
func (c *checker) read(shown map[string]map[int]bool) (map[place]piece, map[int]any) {
	all := map[place]piece{}
	parents := map[int]any{}
	nums := c.array(c.dict(c.catalogue(), "StructTreeRoot", "ParentTree")["Nums"])
	for i := 0; i+1 < len(nums); i += 2 {
		parents[int(nums[i].(float64))] = nums[i+1]
	}
	for _, page := range c.pages() {
		d := c.dict(page)
		c.must(d["Tabs"] == name("S"), "page %d: /Tabs is %v", page, d["Tabs"])
		pieces := c.pieces(page, shown)
		var elements array
		if key, ok := d["StructParents"].(float64); ok {
			elements = c.array(parents[int(key)])
		}
		c.must(len(elements) == len(pieces), "page %d: %d elements for %d pieces", page, len(elements), len(pieces))
		for id, p := range pieces {
			all[place{page, id}] = p
			if id < len(elements) {
				e := c.dict(elements[id])
				c.must(e["S"] == p.tag, "page %d: piece %d is marked %s and belongs to %v", page, id, p.tag, e["S"])
				c.must(c.holds(e, place{page, id}), "page %d: piece %d belongs to an element without it", page, id)
			}
		}
	}
	return all, parents
}

func (c *checker) holds(e dict, at place) bool {
	return slices.ContainsFunc(c.array(e["K"]), func(kid any) bool {
		d, _ := kid.(dict)
		return d["Type"] == name("MCR") && d["Pg"] == at.page && d["MCID"] == float64(at.id)
	})
}

// within says which elements may stand in which.
var within = map[name][]name{
	"Document": {"Sect", "P", "H1", "Table", "Link", "Figure"}, "Sect": {"P", "H1", "H2", "Table", "Link", "Figure"},
	"Table": {"TR"}, "TR": {"TH", "TD"}, "TH": {}, "TD": {}, "P": {"Span", "Link"}, "H1": {}, "H2": {}, "Span": {}, "Figure": {},
	"Link": {"Figure", "Span"},
}

// structure holds tree and pages to each other.
func (c *checker) structure(shown map[string]map[int]bool) {
	pieces, parents := c.read(shown)
	root := c.dict(c.catalogue(), "StructTreeRoot")
	first, _ := root["K"].(ref)
	c.must(root["Type"] == name("StructTreeRoot") && c.dict(first)["S"] == name("Document"), "the tree is %v", root)
	seen := map[place]bool{}
	level := 0
	links := 0
	var walk func(at, parent ref)
	walk = func(at, parent ref) {
		e := c.dict(at)
		role, _ := e["S"].(name)
		c.must(e["Type"] == name("StructElem") && e["P"] == parent, "element %d is %v", at, e)
		allowed, known := within[role]
		c.must(known, "element %d is a %s", at, role)
		switch role {
		case "H1":
			level = 1
		case "H2":
			c.must(level >= 1, "a heading of the second level comes first")
			level = 2
		case "TH":
			c.must(c.dict(e, "A")["Scope"] == name("Row"), "element %d has no scope", at)
		case "Figure":
			c.must(said(e["Alt"]) != "" && len(c.array(c.dict(e, "A")["BBox"])) == 4, "a figure is %v", e)
		case "TR":
			c.must(len(c.array(e["K"])) == 2, "a row has %d cells", len(c.array(e["K"])))
		}
		c.must(role == "TD" || len(c.array(e["K"])) > 0, "element %d (%s) is empty", at, role)
		for _, kid := range c.array(e["K"]) {
			switch kid := kid.(type) {
			case ref:
				inner, _ := c.dict(kid)["S"].(name)
				c.must(slices.Contains(allowed, inner), "a %s stands in a %s", inner, role)
				walk(kid, at)
			case dict:
				page, _ := kid["Pg"].(ref)
				if kid["Type"] == name("OBJR") {
					links++
					c.link(at, role, page, kid["Obj"], parents)
					continue
				}
				p := place{page, int(kid["MCID"].(float64))}
				_, found := pieces[p]
				c.must(found && !seen[p], "element %d names the piece %v", at, p)
				seen[p] = true
			}
		}
	}
	rootRef, _ := c.catalogue()["StructTreeRoot"].(ref)
	walk(first, rootRef)
	c.must(len(seen) == len(pieces), "%d of %d pieces belong to an element", len(seen), len(pieces))
	c.must(level > 0, "no heading")
	for _, page := range c.pages() {
		links -= len(c.array(c.dict(page)["Annots"]))
	}
	c.must(links == 0, "%d links more in the tree than on pages", links)
}

func (c *checker) link(at ref, role name, page ref, object any, parents map[int]any) {
	a := c.dict(object)
	key, _ := a["StructParent"].(float64)
	c.must(role == "Link" && a["Subtype"] == name("Link") && a["F"] == 4.0 && said(a["Contents"]) != "" && parents[int(key)] == at &&
		slices.Contains(c.array(c.dict(page)["Annots"]), object), "a link is %v", a)
}

// Text returns what a document says, as its structure has it. Each element is a line: its role, and
// its text as it is copied.
func Text(pdf []byte) (string, error) {
	f, err := Open(pdf)
	if err != nil {
		return "", err
	}
	c := &checker{File: f}
	pieces, _ := c.read(map[string]map[int]bool{})
	var b strings.Builder
	var walk func(at ref, depth int)
	walk = func(at ref, depth int) {
		e := c.dict(at)
		text := ""
		var kids []ref
		for _, kid := range c.array(e["K"]) {
			switch kid := kid.(type) {
			case ref:
				kids = append(kids, kid)
			case dict:
				if kid["Type"] == name("OBJR") {
					text += "→ " + said(c.dict(kid["Obj"])["Contents"])
					continue
				}
				p := pieces[place{kid["Pg"].(ref), int(kid["MCID"].(float64))}]
				if p.actual != nil {
					text += *p.actual
				} else {
					text += p.text
				}
			}
		}
		if alt := said(e["Alt"]); alt != "" {
			text += "[" + alt + "]"
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%s%v %s", strings.Repeat("  ", depth), e["S"], text), " "))
		for _, kid := range kids {
			walk(kid, depth+1)
		}
	}
	first, _ := c.dict(c.catalogue(), "StructTreeRoot")["K"].(ref)
	walk(first, 0)
	return b.String(), nil
}
