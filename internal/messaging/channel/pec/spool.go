package pec

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strconv"
	"strings"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/fault"
)

// The folders of a spool. Files arrive in the spool itself, with names that end in .eml, or as in a
// Maildir in new or cur.
const (
	doneFolder    = "done"
	unknownFolder = "unknown"
)

// Spool is the folder in which receipts arrive.
type Spool struct {
	dir      string
	reporter channel.Reporter
	roots    *x509.CertPool
	log      *slog.Logger
}

// NewSpool returns the spool in a directory, which has to exist when it is read. Receipts are
// believed that were signed under one of the roots; where these are nil no signature is looked at.
func NewSpool(dir string, reporter channel.Reporter, roots *x509.CertPool, log *slog.Logger) *Spool {
	return &Spool{dir: dir, reporter: reporter, roots: roots, log: log}
}

// Read reports every receipt that is there and moves it to the folder done. What is no receipt for
// a message of this service, or not to be believed, goes to the folder unknown. A receipt that
// cannot be reported now stays where it is, and so it does when the process ends between the report
// and the move: it is then reported again. Several processes may read one spool.
func (s *Spool) Read(ctx context.Context) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("PEC spool: %w", err)
	}
	defer func() { _ = root.Close() }()
	for _, folder := range []string{doneFolder, unknownFolder} {
		if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("PEC spool: %w", err)
		}
	}
	files, err := waiting(root)
	if err != nil {
		return fmt.Errorf("PEC spool: %w", err)
	}
	var failed []error
	for _, file := range files {
		if ctx.Err() != nil {
			break
		}
		// Another process may have been quicker.
		if err := s.take(ctx, root, file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("PEC spool: %d of %d files stay, the first because: %w", len(failed), len(files), failed[0])
	}
	return nil
}

// waiting lists the files that have arrived, in the order of their names. What is no plain file is
// left alone.
func waiting(root *os.Root) ([]string, error) {
	var files []string
	for _, folder := range []string{".", "new", "cur"} {
		entries, err := fs.ReadDir(root.FS(), folder)
		if errors.Is(err, fs.ErrNotExist) && folder != "." {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			name := entry.Name()
			if entry.Type().IsRegular() && !strings.HasPrefix(name, ".") && (folder != "." || strings.EqualFold(path.Ext(name), ".eml")) {
				files = append(files, path.Join(folder, name))
			}
		}
	}
	return files, nil
}

// take reports one file and moves it.
func (s *Spool) take(ctx context.Context, root *os.Root, name string) error {
	r, err := s.open(root, name)
	if errors.Is(err, errNoReceipt) {
		s.log.WarnContext(ctx, "file in the PEC spool is no receipt of ours", "file", path.Base(name))
		return move(root, name, unknownFolder)
	}
	var doubt *doubtful
	if errors.As(err, &doubt) {
		return s.doubt(ctx, root, name, doubt)
	}
	if err != nil {
		return err
	}
	if report, says := r.report(); says {
		err = s.reporter.Report(ctx, report)
	}
	if fault.Is(err, fault.NotFound) {
		s.log.WarnContext(ctx, "PEC receipt for a message that is not known", "delivery_id", r.deliveryID, "receipt", r.kind)
		return move(root, name, unknownFolder)
	}
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "PEC receipt", "delivery_id", r.deliveryID, "receipt", r.kind)
	return move(root, name, doneFolder)
}

// doubt puts a file aside that is no receipt and says it is one. Operators see it at the delivery.
func (s *Spool) doubt(ctx context.Context, root *os.Root, name string, d *doubtful) error {
	s.log.WarnContext(
		ctx, "file in the PEC spool is no provider's receipt", "file", path.Base(name), "delivery_id", d.deliveryID, "why", d.why,
	)
	err := s.reporter.Report(ctx, outbox.Report{Channel: outbox.PEC, DeliveryID: d.deliveryID, Doubt: "receipt-not-genuine: " + d.why})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return move(root, name, unknownFolder)
}

func (s *Spool) open(root *os.Root, name string) (receipt, error) {
	file, err := root.Open(name)
	if err != nil {
		return receipt{}, err
	}
	defer func() { _ = file.Close() }()
	return read(file, s.roots)
}

// move puts a file into a folder, under another name where its own is taken.
func move(root *os.Root, name, folder string) error {
	to := path.Join(folder, path.Base(name))
	for n := 2; ; n++ {
		if _, err := root.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return root.Rename(name, to)
		} else if err != nil {
			return err
		}
		to = path.Join(folder, strconv.Itoa(n)+"-"+path.Base(name))
	}
}
