//go:build peers

package clients

import (
	"path/filepath"
	"testing"
)

// The collection is one that Postman's own runner reads. Whoever sends its requests in turn, from
// the login on, files a declaration and is shown its receipt.
func TestPostman_CollectionFiles(t *testing.T) {
	collection, err := filepath.Abs("../../../../api/postman/diresco.postman_collection.json")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkshop(t, "postman", newService(t))
	w.env = append(w.env, "COLLECTION="+collection)
	w.run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	w.filed(w.run("node", "postman.mjs"))
}
