package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"diresco/internal/platform/calendar"
)

const (
	// contested is how many slots many clients want at the same time.
	contested = 4
	// bookedTopic is what the appointments are about.
	bookedTopic = "payments-refunds"
	// inDays is how far ahead the slots are.
	inDays = 60
)

// agenda measures how appointments are booked: by one client, by many who each want a slot of their
// own, and by many who want the same few.
func (b *bench) agenda(ctx context.Context) error {
	const one, own, same = "book and cancel, 1 client", "book and cancel, a slot each", "book and cancel, the same few slots"
	wanted := false
	for _, name := range []string{one, own, same} {
		wanted = wanted || b.options.only.MatchString(name)
	}
	if !wanted {
		return nil
	}
	slots, err := b.publish(ctx)
	if err != nil {
		return err
	}
	each := func(i int) []string { return slots[i : i+1] }
	r, err := b.all(
		ctx, b.books(one, 1, each), b.books(own, manyClients, each),
		b.books(same, manyClients, func(int) []string { return slots[:contested] }),
	)
	if err != nil {
		return err
	}
	compare(r[1], r[0], "1 client")
	compare(r[2], r[0], "1 client")
	return nil
}

// publish offers as many slots as there are clients, at one office and at the same time.
func (b *bench) publish(ctx context.Context) (slots []string, err error) {
	if err := b.world.logIn(ctx, b.server.address); err != nil {
		return nil, err
	}
	c, err := dial(ctx, b.server.address, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	starts := calendar.DateIn(time.Now()).AddDays(inDays).Start()
	body, err := json.Marshal(map[string]any{
		"starts_at": starts, "ends_at": starts.Add(time.Hour), "channel": "counter", "topics": []string{bookedTopic}, "desks": manyClients,
	})
	if err != nil {
		return nil, err
	}
	path := "/v1/backoffice/offices/" + offices[0] + "/slots"
	status, err := c.do(ctx, newCall(http.MethodPost, path, b.server.address, b.world.operator.token, body, true).next())
	if err != nil || status != http.StatusCreated {
		return nil, errors.Join(err, refused(status, c.body))
	}
	list := newCall(http.MethodGet, "/v1/offices/"+offices[0]+"/slots?limit="+strconv.Itoa(manyClients), b.server.address, "", nil, false)
	if status, err = c.do(ctx, list.next()); err != nil || status != http.StatusOK {
		return nil, errors.Join(err, refused(status, c.body))
	}
	var found struct {
		Items []struct {
			ID string `json:"slot_id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(c.body, &found); err != nil {
		return nil, err
	}
	for _, s := range found.Items {
		slots = append(slots, s.ID)
	}
	if len(slots) < manyClients {
		return nil, fmt.Errorf("%d slots are listed", len(slots))
	}
	return slots, nil
}

// books takes slots and gives each back at once. That another holds one is no failure.
func (b *bench) books(name string, clients int, slots func(i int) []string) work {
	return work{
		name: name, clients: clients, wanted: http.StatusCreated, allowed: []int{http.StatusConflict}, process: b.server.process,
		worker: func(ctx context.Context, i int) (worker, func(), error) {
			token, err := logInAnew(ctx, b.server.address, b.world.logins[i%loginPeople].taxCode, b.world.pin)
			if err != nil {
				return nil, nil, err
			}
			c, err := dial(ctx, b.server.address, nil)
			if err != nil {
				return nil, nil, err
			}
			var calls []*call
			for _, slot := range slots(i) {
				body := fmt.Sprintf(`{"slot_id":%q,"topic":%q,"phone":"+393331234567","notes":"prova"}`, slot, bookedTopic)
				calls = append(calls, newCall(http.MethodPost, "/v1/appointments", b.server.address, token, []byte(body), true))
			}
			n := i
			return func(ctx context.Context) (int, error) {
				n++
				return b.book(ctx, c, calls[n%len(calls)], token)
			}, c.close, nil
		},
	}
}

// book books once and, if that succeeded, cancels.
func (b *bench) book(ctx context.Context, c *connection, booking *call, token string) (int, error) {
	status, err := c.do(ctx, booking.next())
	if err != nil || status == http.StatusConflict {
		return status, err
	}
	if status != http.StatusCreated {
		return status, refused(status, c.body)
	}
	var booked struct {
		ID string `json:"appointment_id"`
	}
	if err := json.Unmarshal(c.body, &booked); err != nil {
		return status, err
	}
	path := "/v1/appointments/" + booked.ID + "/cancellation"
	cancelled, err := c.do(ctx, newCall(http.MethodPost, path, b.server.address, token, nil, true).next())
	if err == nil && cancelled != http.StatusOK {
		err = refused(cancelled, c.body)
	}
	return status, err
}
