package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	// batchItems is how many declarations a batch has, batchClients how many send one at a time.
	batchItems   = 1000
	batchClients = 2
	// batchLook is how often a client asks whether its batch is done.
	batchLook = 100 * time.Millisecond
)

// batches sends lists of declarations, and waits until each is done.
func (b *bench) batches() work {
	return work{
		name: fmt.Sprintf("batch of %d", batchItems), clients: batchClients, wanted: http.StatusAccepted, process: b.server.process,
		worker: func(ctx context.Context, i int) (worker, func(), error) {
			c, err := dial(ctx, b.server.address, nil)
			if err != nil {
				return nil, nil, err
			}
			f := b.world.filers[i%filers]
			return func(ctx context.Context) (int, error) { return b.batch(ctx, c, f) }, c.close, nil
		},
	}
}

// batch sends one batch and waits until it is done.
func (b *bench) batch(ctx context.Context, c *connection, f *filer) (int, error) {
	var body bytes.Buffer
	body.WriteString(`{"items":[`)
	name := uuid.NewString()
	for n := range batchItems {
		if n > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"reference":"%s-%d","type":%q,"position_id":%q,"content":%s}`, name, n, typeCode, f.spread, b.world.examples[typeCode])
	}
	body.WriteString("]}")
	path := "/v1/contributors/" + f.contributor + "/declaration-batches"
	status, err := c.do(ctx, newCall(http.MethodPost, path, b.server.address, f.token, body.Bytes(), true).next())
	if err != nil || status != http.StatusAccepted {
		return status, errors.Join(err, refused(status, c.body))
	}
	var batch struct {
		ID     string `json:"batch_id"`
		State  string `json:"state"`
		Counts struct {
			Filed int `json:"filed"`
		} `json:"counts"`
	}
	if err := json.Unmarshal(c.body, &batch); err != nil {
		return status, err
	}
	look := newCall(http.MethodGet, "/v1/declaration-batches/"+batch.ID, b.server.address, f.token, nil, false)
	for batch.State != "done" {
		pause(ctx, batchLook)
		if answered, err := c.do(ctx, look.next()); err != nil || answered != http.StatusOK {
			return answered, errors.Join(err, refused(answered, c.body))
		}
		if err := json.Unmarshal(c.body, &batch); err != nil {
			return status, err
		}
	}
	if batch.Counts.Filed != batchItems {
		return status, fmt.Errorf("%d of %d are filed", batch.Counts.Filed, batchItems)
	}
	return status, nil
}

// compareBatch notes how many declarations of batches a processor second of server and database
// files, beside single ones.
func compareBatch(batch, single *result) {
	if batch == nil || single == nil {
		return
	}
	each := func(r *result, declarations int) float64 {
		return (r.server + r.database).Seconds() / float64(total(r.answers)*declarations)
	}
	batch.compared = fmt.Sprintf(
		"%s declarations/s; per CPU second %.2f × single submissions", thousands(batch.rate()*batchItems),
		each(single, 1)/each(batch, batchItems),
	)
}
