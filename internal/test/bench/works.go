package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

const (
	manyClients = 64
	// listClients ask for lists, whose cost is to be seen, not the machine's limit.
	listClients = 8
	listPath    = "/declarations?limit=50"
	// exported is how many declarations an export has.
	exported = 20_000
)

// calls makes a worker that sends one of the requests after the other, again and again, over one
// connection.
func calls(address string, wanted int, allowed []int, requests func(i int) []*call) func(context.Context, int) (worker, func(), error) {
	return func(ctx context.Context, i int) (worker, func(), error) {
		c, err := dial(ctx, address, nil)
		if err != nil {
			return nil, nil, err
		}
		own := requests(i)
		n := i // so that clients with the same requests do not send the same one together
		return func(ctx context.Context) (int, error) {
			n++
			status, err := c.do(ctx, own[n%len(own)].next())
			if err == nil && status != wanted && !slices.Contains(allowed, status) {
				err = refused(status, c.body)
			}
			return status, err
		}, c.close, nil
	}
}

// refused is the error of an answer that was not wanted. It shows the beginning of the answer: a
// problem document, which holds no secret.
func refused(status int, body []byte) error {
	const shown = 400
	return fmt.Errorf("answered %d: %s", status, body[:min(len(body), shown)])
}

func (b *bench) http(name string, clients, wanted int, requests func(i int) []*call) work {
	return work{
		name: name, clients: clients, wanted: wanted, process: b.server.process, worker: calls(b.server.address, wanted, nil, requests),
	}
}

func (b *bench) status() work {
	return b.http("status", manyClients, http.StatusOK, func(int) []*call {
		return []*call{newCall(http.MethodGet, statusPath, b.server.address, "", nil, false)}
	})
}

// read shows the declarations that were filed at first, each filer's own.
func (b *bench) read() work {
	return b.http("read a declaration", manyClients, http.StatusOK, func(i int) []*call {
		f := b.world.filers[i%len(b.world.filers)]
		var all []*call
		for _, id := range f.filed {
			all = append(all, newCall(http.MethodGet, "/v1/declarations/"+id, b.server.address, f.token, nil, false))
		}
		return all
	})
}

func (b *bench) list(f *filer, of int) work {
	w := b.http(fmt.Sprintf("list 50 of %d declarations", of), listClients, http.StatusOK, func(int) []*call {
		return []*call{newCall(http.MethodGet, "/v1/contributors/"+f.contributor+listPath, b.server.address, f.token, nil, false)}
	})
	w.rows = 50
	return w
}

// export exports the latest declarations of a contributor, from an instant on, by as many clients as
// one person may have exports at a time.
func (b *bench) export(f *filer, from time.Time, mediaType string) work {
	w := b.http(fmt.Sprintf("export %d declarations, %s", exported, mediaType), 2, http.StatusOK, func(int) []*call {
		path := "/v1/contributors/" + f.contributor + "/declarations/export?submitted_from=" + from.UTC().Format(time.RFC3339Nano)
		c := newCall(http.MethodGet, path, b.server.address, f.token, nil, false)
		c.head = bytes.Replace(c.head, []byte("Accept: application/json"), []byte("Accept: "+mediaType), 1)
		return []*call{c}
	})
	w.rows = exported
	return w
}

// submit files declarations, at all offices or all at one.
func (b *bench) submit(spread bool) work {
	if spread {
		return b.files(fmt.Sprintf("submit, %d offices", len(offices)), typeCode)
	}
	return b.http("submit, one office", manyClients, http.StatusCreated, func(i int) []*call {
		f := b.world.filers[i%len(b.world.filers)]
		return []*call{b.world.fileCall(b.server.address, f, f.central, typeCode)}
	})
}

// reserve files reservations at all offices, whose money is that of one fund.
func (b *bench) reserve() work { return b.files("reserve, one fund", cappedType) }

// files files declarations of a type at all offices.
func (b *bench) files(name, code string) work {
	return b.http(name, manyClients, http.StatusCreated, func(i int) []*call {
		f := b.world.filers[i%len(b.world.filers)]
		return []*call{b.world.fileCall(b.server.address, f, f.spread, code)}
	})
}

// transactions write what submit writes, without the service.
func (b *bench) transactions(spread bool) work {
	name := "the same SQL, one transaction each, one office"
	if spread {
		name = fmt.Sprintf("the same SQL, one transaction each, %d offices", len(offices))
	}
	return work{name: name, clients: manyClients, worker: func(ctx context.Context, i int) (worker, func(), error) {
		f := b.world.filers[i%len(b.world.filers)]
		office := offices[0]
		if spread {
			office = f.office
		}
		ids, err := b.database.declarations(ctx, f.contributor, office, 1)
		if err != nil {
			return nil, nil, err
		}
		if len(ids) == 0 {
			return nil, nil, fmt.Errorf("nothing was submitted at office %s", office)
		}
		t, err := newTransactions(ctx, b.database, ids[0])
		if err != nil {
			return nil, nil, err
		}
		release := func() { _ = t.conn.Close(context.WithoutCancel(ctx)) }
		return func(ctx context.Context) (int, error) { return 0, t.submit(ctx) }, release, nil
	}}
}

// bare are the references of what HTTP costs. Their answers are as long as those of read, and of
// submit to the same body.
func (b *bench) bare(s *server, get bool) work {
	name, method, status := "bare echo, GET", http.MethodGet, http.StatusOK
	var body []byte
	if !get {
		name, method, status = "bare echo, POST", http.MethodPost, http.StatusCreated
		body = b.world.fileCall(s.address, b.world.filers[0], b.world.filers[0].spread, typeCode).tail[len("\r\n\r\n"):]
	}
	token := b.world.filers[0].token
	worker := calls(s.address, status, nil, func(int) []*call {
		return []*call{newCall(method, barePath, s.address, token, body, !get)}
	})
	return work{name: name, clients: manyClients, wanted: status, process: s.process, worker: worker}
}

// login starts sessions with the right PIN. Being told to come again is allowed: that is how a
// storm is survived.
func (b *bench) login(clients int) work {
	w := work{
		name: "login", clients: clients, wanted: http.StatusCreated, allowed: []int{http.StatusServiceUnavailable},
		process: b.server.process,
	}
	w.worker = calls(b.server.address, w.wanted, w.allowed, func(i int) []*call {
		return []*call{loginCall(b.server.address, b.world.logins[i%loginPeople].taxCode, b.world.pin)}
	})
	return w
}

// medians are those of logins one after the other, by what is wrong with them.
type medians struct {
	tries                 int
	right, wrong, unknown []time.Duration
}

// triesPerAddress keeps wrong PINs from one address below the service's limit, which is in force.
const triesPerAddress = 20

// compareLogins logs in with the right PIN, with a wrong one, and as nobody. It does so in turns,
// so that whatever else the machine does meets all three alike. Wrong ones come from many addresses
// of the loopback network and end with a right one, so that no limit is reached.
func (b *bench) compareLogins(ctx context.Context, tries int) (medians, error) {
	m := medians{tries: tries}
	var c *connection
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	timed := func(into *[]time.Duration, taxCode, pin string, wanted int) error {
		request := loginCall(b.server.address, taxCode, pin).next()
		begun := time.Now()
		status, err := c.do(ctx, request)
		if took := time.Since(begun); err == nil && status == wanted {
			*into = append(*into, took)
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		return refused(status, c.body)
	}
	for n := range tries {
		if n%(triesPerAddress/2) == 0 {
			if c != nil {
				c.close()
			}
			var err error
			if c, err = dial(ctx, b.server.address, net.IPv4(127, 0, 1, byte(1+n/(triesPerAddress/2)))); err != nil {
				return m, err
			}
		}
		known := b.world.logins[n%loginPeople].taxCode
		stranger, err := taxCodeOf("Verdi", n)
		if err != nil {
			return m, err
		}
		for _, try := range []struct {
			into         *[]time.Duration
			taxCode, pin string
			wanted       int
		}{
			{&m.wrong, known, wrongPIN(b.world.pin), http.StatusUnauthorized},
			{&m.unknown, stranger.Clear(), b.world.pin, http.StatusUnauthorized},
			{&m.right, known, b.world.pin, http.StatusCreated},
		} {
			if err := timed(try.into, try.taxCode, try.pin, try.wanted); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// wrongPIN is as well-formed as the right one.
func wrongPIN(right string) string {
	last := right[len(right)-1]
	other := byte('A')
	if last == other {
		other = 'B'
	}
	return right[:len(right)-1] + string(other)
}
