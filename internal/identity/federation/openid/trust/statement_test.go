package trust

import "testing"

// A host with a final full stop is the same host.
func TestStatement_NamesWithAFinalStop(t *testing.T) {
	for _, entity := range []string{"https://middle.example", "https://middle.example.", "https://MIDDLE.example.:443/x"} {
		if !named(entity, []string{"middle.example"}) {
			t.Errorf("%s is not named", entity)
		}
	}
	if !named("https://below.middle.example.", []string{".middle.example"}) || named("https://middle.example.", []string{"other.example"}) {
		t.Error("a domain is not found, or another is")
	}
}
