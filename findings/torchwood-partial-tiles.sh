#!/bin/sh
# A tree of 22 leaves, as filippo.io/torchwood v0.9.0 reads it of a log that has 300 by now. A log may delete a tile that was not
# whole once the whole one is there (c2sp.org/tlog-tiles), and a reader may take the whole one instead. torchwood does not: it fails for
# whoever has a checkpoint of before, over HTTP and in files, and reads all with the newest. So read the newest checkpoint first,
# and again where a tile is gone.
# Needs go. Fails if it says otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module seen\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// grown has the hashes of a tree.
type grown []tlog.Hash

func (g grown) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		hashes[i] = g[n]
	}
	return hashes, nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	const size, before = 300, 22
	var hashes grown
	bundles := make([][]byte, 2)
	for n := range int64(size) {
		leaf := fmt.Appendf(nil, "leaf %d", n)
		hashes = append(hashes, must(tlog.StoredHashes(n, leaf, hashes))...)
		bundles[n/256] = must(torchwood.AppendTileEntry(bundles[n/256], leaf))
	}
	files := fstest.MapFS{}
	for _, t := range tlog.NewTiles(8, 0, size) {
		files[torchwood.TilePath(t)] = &fstest.MapFile{Data: must(tlog.ReadTileData(t, hashes))}
		if t.L == 0 {
			t.L = -1
			files[torchwood.TilePath(t)] = &fstest.MapFile{Data: bundles[t.N]}
		}
	}
	server := httptest.NewServer(http.FileServerFS(files))
	defer server.Close()
	overHTTP, inFiles := must(torchwood.NewTileFetcher(server.URL)), must(torchwood.NewTileFS(files))
	for _, n := range []int64{before, size} {
		tree := tlog.Tree{N: n, Hash: must(tlog.TreeHash(n, hashes))}
		for _, from := range []struct {
			name   string
			reader torchwood.TileReader
		}{{"over HTTP", overHTTP}, {"in files", inFiles}} {
			read := 0
			client := must(torchwood.NewClient(from.reader))
			for range client.AllEntries(context.Background(), tree, 0) {
				read++
			}
			fmt.Printf("%s, %d of %d leaves, failed: %t\n", from.name, read, n, client.Err() != nil)
		}
	}
}
GO
go get filippo.io/torchwood@v0.9.0 golang.org/x/mod/sumdb/tlog >/dev/null 2>&1
echo "torchwood $(go list -m -f '{{.Version}}' filippo.io/torchwood)"
go run . | tee seen
grep -qx 'over HTTP, 0 of 22 leaves, failed: true' seen
grep -qx 'in files, 0 of 22 leaves, failed: true' seen
grep -qx 'over HTTP, 300 of 300 leaves, failed: false' seen
grep -qx 'in files, 300 of 300 leaves, failed: false' seen
