package attachment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"
)

// ErrTooLarge means that a file is longer than was allowed.
var ErrTooLarge = errors.New("file too large")

// inMemory is how much of a file is kept in memory, in bytes. A longer one goes to a temporary
// file.
const inMemory = 32 << 10

// Upload is a file that a request brought, kept aside until the request is over.
type Upload struct {
	name   string
	size   int64
	digest string
	crc    uint32
	head   []byte
	file   *os.File
}

// Spool takes a file in, up to limit bytes. A short one stays in memory. A longer one goes to a
// file in the directory ("" is the system's), of which nothing is left after Close or a crash. It
// returns ErrTooLarge for one over the limit, having read no more than a byte beyond it, and the
// reader's own errors.
func Spool(r io.Reader, name, directory string, limit int64) (*Upload, error) {
	u := &Upload{name: name}
	sum, check := sha256.New(), crc32.NewIEEE()
	r = io.TeeReader(io.LimitReader(r, limit+1), io.MultiWriter(sum, check))
	var head bytes.Buffer
	n, err := io.CopyN(&head, r, inMemory+1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	u.size = n
	if n > inMemory {
		if err := u.spill(head.Bytes(), r, directory); err != nil {
			return nil, errors.Join(err, u.Close())
		}
	} else {
		u.head = head.Bytes()
	}
	if u.size > limit {
		return nil, errors.Join(ErrTooLarge, u.Close())
	}
	u.digest, u.crc = "sha-256:"+hex.EncodeToString(sum.Sum(nil)), check.Sum32()
	return u, nil
}

// spill writes what was read so far and the rest to a temporary file. The file has no name any more
// as soon as it is open.
func (u *Upload) spill(head []byte, rest io.Reader, directory string) error {
	var err error
	if u.file, err = os.CreateTemp(directory, "upload-*"); err != nil {
		return err
	}
	// Where an open file cannot be removed, Close does it.
	_ = os.Remove(u.file.Name())
	if _, err := u.file.Write(head); err != nil {
		return err
	}
	n, err := Copy(u.file, rest)
	u.size += n
	return err
}

// Name is what its sender called it, as it was sent.
func (u *Upload) Name() string { return u.name }

// Size is its length in bytes.
func (u *Upload) Size() int64 { return u.size }

// Digest is "sha-256:" and the hexadecimal SHA-256 of its content.
func (u *Upload) Digest() string { return u.digest }

// CRC32 is the checksum of its content that archives have (IEEE 802.3).
func (u *Upload) CRC32() uint32 { return u.crc }

// Open returns its content from the start. What it returns is worthless after Close; it may be
// opened many times.
func (u *Upload) Open() io.ReadSeeker {
	if u.file != nil {
		return io.NewSectionReader(u.file, 0, u.size)
	}
	return bytes.NewReader(u.head)
}

// at returns its content for reading at any place.
func (u *Upload) at() io.ReaderAt {
	if u.file != nil {
		return u.file
	}
	return bytes.NewReader(u.head)
}

// Close forgets the file.
func (u *Upload) Close() error {
	if u.file == nil {
		return nil
	}
	err := u.file.Close()
	if removed := os.Remove(u.file.Name()); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// Pointer is the JSON pointer of the file with the index in a field.
func Pointer(field string, index int) string { return field + "/" + strconv.Itoa(index) }

// buffers are what files are copied through: with fewer calls of the system than io.Copy makes.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// Copy copies a file's content, through a large buffer that is used again.
func Copy(to io.Writer, from io.Reader) (int64, error) {
	buffer, _ := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buffer)
	// Whatever the two can do by themselves would be done with small buffers.
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buffer[:])
}
