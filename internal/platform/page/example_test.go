package page_test

import (
	"fmt"

	"github.com/google/uuid"

	"diresco/internal/platform/page"
)

// A repository reads one row more than the page has, behind the place where the page before ended.
func ExampleCut() {
	type office struct {
		title string
		id    uuid.UUID
	}
	offices := []office{
		{"Bergamo", uuid.UUID{1}}, {"Milano", uuid.UUID{2}}, {"Napoli", uuid.UUID{3}}, {"Roma", uuid.UUID{4}}, {"Torino", uuid.UUID{5}},
	}
	read := func(after *page.Key, atMost int) []office {
		from := 0
		for after != nil && offices[from].title <= after.Text {
			from++
		}
		return offices[from:min(len(offices), from+atMost)]
	}
	request := page.Request{Limit: 2, List: "listOffices"}
	for {
		after, err := request.After()
		if err != nil {
			panic(err)
		}
		rows := read(after, request.Size()+1)
		p := page.Cut(rows, request.Size(), func(o office) page.Key { return page.Key{Text: o.title, ID: o.id} })
		for _, o := range p.Items {
			fmt.Println(o.title)
		}
		fmt.Println("--")
		if request.Cursor = page.Bind(request.List, p.Next); request.Cursor == "" {
			break
		}
	}
	// Output:
	// Bergamo
	// Milano
	// --
	// Napoli
	// Roma
	// --
	// Torino
	// --
}
