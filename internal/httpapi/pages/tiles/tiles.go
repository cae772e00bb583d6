// Package tiles serves the trail's log as programs for such logs read it (c2sp.org/tlog-tiles). It
// has digests and signatures alone, for anybody.
package tiles

import (
	"context"
	"net/http"
	"strings"

	"diresco/internal/httpapi/pages"
	"diresco/internal/kernel/translog"
)

// path is where the log stands.
const path = "/audit/log/"

// Log is what is served; see translog.Log.
type Log interface {
	Checkpoint(ctx context.Context) (translog.Checkpoint, error)
	Tile(ctx context.Context, path string) (translog.Tile, error)
}

// New returns the pages of a log.
func New(log Log) []pages.Page {
	return []pages.Page{
		{Pattern: path + "checkpoint", Serve: func(w http.ResponseWriter, r *http.Request) error {
			c, err := log.Checkpoint(r.Context())
			if err != nil {
				return err
			}
			return write(w, "text/plain; charset=utf-8", "no-cache", []byte(c.Text))
		}},
		// The last part of a pattern takes what follows, with its slashes.
		{Pattern: path + "{part}", Serve: func(w http.ResponseWriter, r *http.Request) error {
			tile, err := log.Tile(r.Context(), strings.TrimPrefix(r.URL.Path, path))
			if err != nil {
				return err
			}
			caching := "public, max-age=300"
			if tile.Whole {
				caching = "public, max-age=31536000, immutable"
			}
			return write(w, "application/octet-stream", caching, tile.Content)
		}},
	}
}

func write(w http.ResponseWriter, media, caching string, content []byte) error {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", caching)
	// Scripts of any origin may read what is for anybody.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, err := w.Write(content)
	return err
}
