package keyring

import (
	"errors"
	"os"
	"path/filepath"
)

// writeNew writes a file that only its owner can read, all of it or nothing. It never writes over a
// file that exists: then it leaves that one alone and returns no error.
func writeNew(path string, content []byte) error {
	// A link, unlike a rename, fails where the name is taken.
	return write(path, content, func(temporary string) error {
		if err := os.Link(temporary, path); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return nil
	})
}

// replace writes a file that only its owner can read, in place of one that exists.
func replace(path string, content []byte) error {
	return write(path, content, func(temporary string) error { return os.Rename(temporary, path) })
}

// write writes a file beside its place and puts it there.
func write(path string, content []byte, put func(temporary string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := put(temporary.Name()); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the directory of the operator's own file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
