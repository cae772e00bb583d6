package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/taxcode"
)

const (
	importName = "import"
	// importLines is how many lines a file has, quickLines how many it has in a quick run.
	importLines = 1_000_000
	quickLines  = 20_000
	// perPlace is how many tax codes there are for each place of birth.
	perPlace = 25_000
)

// importSpeed is how an import of the register of persons went.
type importSpeed struct {
	name    string
	lines   int
	bytes   int64
	elapsed time.Duration
	// memory is by how much the resident memory of this process grew at most.
	memory int64
	// writes are those that another made meanwhile, longest the one that took longest.
	writes  int
	longest time.Duration
}

func importTable(all []importSpeed) *table {
	t := &table{}
	t.add(
		"import of the register of contributors", "lines", "file", "time", "lines/s", "memory above idle", "writes of others meanwhile",
		"the longest of them",
	)
	for _, s := range all {
		t.add(s.name, fmt.Sprint(s.lines), megabytes(s.bytes), s.elapsed.Round(100*time.Millisecond).String(), thousands(
			float64(s.lines)/s.elapsed.Seconds(),
		),
			megabytes(s.memory), fmt.Sprint(s.writes), milliseconds(s.longest))
	}
	return t
}

// registers measures imports of a worker of this process, on databases of their own: all lines new,
// then all changed.
func (b *bench) registers(ctx context.Context, dir string) error {
	if !b.options.only.MatchString(importName) {
		return nil
	}
	lines := importLines
	if b.options.quick {
		lines = quickLines
	}
	databaseURL, err := b.database.create(ctx, importName)
	if err != nil {
		return err
	}
	if err := b.importInto(ctx, "PostgreSQL", databaseURL, dir, lines); err != nil {
		return err
	}
	return b.importInto(ctx, "SQLite", "sqlite:"+filepath.Join(dir, importName+".db"), dir, lines)
}

func (b *bench) importInto(ctx context.Context, name, databaseURL, dir string, lines int) (err error) {
	d, err := db.Open(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Migrate(ctx); err != nil {
		return err
	}
	if _, err := installation.Claim(ctx, d, installation.Production, clock.System{}.Now()); err != nil {
		return err
	}
	files := filepath.Join(dir, "files-"+name)
	bucket, err := fileblob.OpenBucket(files, &fileblob.Options{CreateDir: true, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bucket.Close(), os.RemoveAll(files)) }()
	s := newSeeder(d, &world{})
	var admin access.Actor
	looker := uuid.Must(uuid.NewV7())
	err = d.InTx(ctx, func(ctx context.Context) error {
		code, err := taxCodeOf("Neri", 0)
		if err != nil {
			return err
		}
		p, err := s.people.Add(ctx, person.New{
			TaxCode: code, GivenName: "Maria", FamilyName: "Neri", UserClass: access.Administrator, CredentialLevel: access.Dispositive,
		})
		if err != nil {
			return err
		}
		admin.PersonID = p.ID
		return d.From(ctx).Exec(`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at,
			updated_at)
			VALUES ( ?, 'professional', ?, 'Maria Neri', 'bench', '1', ?, ?)`, looker, code, clock.System{}.Now(),
			clock.System{}.Now()).Error
	})
	if err != nil {
		return err
	}
	for _, pass := range []string{"new", "changed"} {
		path := filepath.Join(dir, "contributors.csv")
		digest, size, err := writeContributors(path, lines, "Ditta "+pass)
		if err != nil {
			return err
		}
		speed, err := b.importFile(ctx, d, bucket, admin, looker, s, path, digest)
		if err != nil {
			return err
		}
		speed.name, speed.lines, speed.bytes = name+", all lines "+pass, lines, size
		b.imports = append(b.imports, speed)
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// writeContributors writes a file of the register of contributors and returns its digest and
// length.
func writeContributors(path string, lines int, name string) (digest string, size int64, err error) {
	file, err := os.Create(path) //nolint:gosec // in a directory of this run
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	w := bufio.NewWriter(io.MultiWriter(file, sum))
	fmt.Fprintln(w, "tax_code;legal_name;kind")
	for n := range lines {
		code, err := registered(n)
		if err != nil {
			return "", 0, err
		}
		fmt.Fprintf(w, "%s;%s di Maria Gialli %d;self_employed\n", code, name, n)
	}
	if err := w.Flush(); err != nil {
		return "", 0, err
	}
	size, err = file.Seek(0, io.SeekCurrent)
	return "sha-256:" + hex.EncodeToString(sum.Sum(nil)), size, err
}

// registered is the tax code on a line of the file.
func registered(n int) (string, error) {
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n%perPlace)
	code, err := taxcode.Compose(taxcode.Birth{
		FamilyName: "Gialli", GivenName: "Maria", Date: born, Sex: taxcode.Female, Place: fmt.Sprintf("H%03d", 500+n/perPlace),
	})
	return code.Clear(), err
}

// importFile works one file off while an intermediary looks up one contributor after the other.
// These look-ups leave rows that point to those that the import changes.
func (b *bench) importFile(
	ctx context.Context, d *db.DB, bucket *blob.Bucket, admin access.Actor, looker uuid.UUID, s *seeder, path, digest string,
) (speed importSpeed, err error) {
	service := registerimport.NewService(registerimport.Deps{Runner: s.runner, Blobs: bucket})
	file, err := os.Open(path) //nolint:gosec // in a directory of this run
	if err != nil {
		return speed, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	taken, err := service.Take(ctx, admin, registerimport.File{
		Register: registerimport.Contributors, Format: registerimport.CSV, Digest: digest,
		Open: func() io.Reader { return file },
	})
	if err != nil {
		return speed, err
	}
	debug.FreeOSMemory()
	own := process(os.Getpid())
	own.resetPeak()
	idle := own.resident()
	worker := registerimport.NewWorker(registerimport.WorkerOptions{
		DB: d, Clock: clock.System{}, Blobs: bucket, Outbox: outbox.New(d), Log: slog.New(slog.DiscardHandler),
	})
	ended := make(chan error, 1)
	begun := time.Now()
	go func() { ended <- worker.Drain(ctx) }()
	for n := 0; ; n++ {
		select {
		case err := <-ended:
			speed.elapsed, speed.memory = time.Since(begun), max(0, own.peak()-idle)
			if err != nil {
				return speed, err
			}
			shown, err := service.Show(ctx, taken.ID)
			if err == nil && shown.State != registerimport.Done {
				err = fmt.Errorf("the import is %s: %s", shown.State, shown.Errors)
			}
			return speed, err
		default:
		}
		code, err := registered(n * 7919 % importLines)
		if err != nil {
			return speed, err
		}
		write := time.Now()
		if err := d.InTx(ctx, func(ctx context.Context) error {
			return d.From(ctx).Exec("INSERT INTO delegation_lookups (id, contributor_id, delegate_id, person_id, at) VALUES ( ?, (SELECT "+
				"id FROM contributors WHERE tax_code = ?), ?, ?, ?)",
				uuid.Must(uuid.NewV7()), code, looker, admin.PersonID, clock.System{}.Now()).Error
		}); err != nil {
			return speed, err
		}
		speed.writes++
		speed.longest = max(speed.longest, time.Since(write))
		pause(ctx, time.Millisecond)
	}
}
