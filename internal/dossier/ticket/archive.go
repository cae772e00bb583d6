package ticket

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// archiveType is the media type of a ticket's files, as they are kept and handed out.
const archiveType = "application/zip"

// archiveKey is where the files of a ticket lie.
func archiveKey(id uuid.UUID) string { return "tickets/" + id.String() + ".zip" }

// archive keeps the files of tickets, those of each as one archive.
type archive struct{ bucket *blob.Bucket }

// put writes the files into a new archive, as a stream. It returns the archive's digest and size, or
// fault.Unavailable; then nothing is left.
func (a archive) put(
	ctx context.Context, id uuid.UUID, files []attachment.File, uploads []*attachment.Upload, at time.Time,
) (digest string, size int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := a.bucket.NewWriter(ctx, archiveKey(id), &blob.WriterOptions{ContentType: archiveType, IfNotExist: true})
	if err != nil {
		return "", 0, fault.Wrap(fault.Unavailable, err)
	}
	sum := &counted{hash: sha256.New(), to: w}
	if err := pack(sum, files, uploads, at); err != nil {
		// What is closed once its context has ended is not kept.
		cancel()
		return "", 0, errors.Join(fault.Wrap(fault.Unavailable, err), ignoreCancelled(w.Close()))
	}
	if err := w.Close(); err != nil {
		return "", 0, fault.Wrap(fault.Unavailable, err)
	}
	return "sha-256:" + hex.EncodeToString(sum.hash.Sum(nil)), sum.n, nil
}

func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) || gcerrors.Code(err) == gcerrors.Canceled {
		return nil
	}
	return err
}

// remove removes the archive of a ticket; one that is not there is removed already.
func (a archive) remove(ctx context.Context, id uuid.UUID) error {
	if err := a.bucket.Delete(ctx, archiveKey(id)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return err
	}
	return nil
}

// open returns the archive of a ticket, to be closed, and fault.NotFound where there is none.
func (a archive) open(ctx context.Context, id uuid.UUID) (io.ReadSeekCloser, error) {
	r, err := a.bucket.NewReader(ctx, archiveKey(id), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fault.New(fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// counted passes on what it counts and digests.
type counted struct {
	hash interface {
		io.Writer
		Sum(b []byte) []byte
	}
	to io.Writer
	n  int64
}

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	_, _ = c.hash.Write(p[:n])
	return n, err
}

// packs lists what becomes shorter by packing; the others are packed already.
var packs = map[attachment.MediaType]bool{
	attachment.XML: true, attachment.Text: true, attachment.TIFF: true, attachment.P7M: true,
}

// pack writes the files as an archive. What is packed already is stored with its size and checksum
// before it: readers that go through an archive from the front cannot tell where it ends else.
func pack(to io.Writer, files []attachment.File, uploads []*attachment.Upload, at time.Time) error {
	z := zip.NewWriter(to)
	for i, name := range distinct(files) {
		header := &zip.FileHeader{Name: name, Modified: at.UTC()}
		var w io.Writer
		var err error
		if packs[files[i].MediaType] {
			header.Method = zip.Deflate
			w, err = z.CreateHeader(header)
		} else {
			w, err = stored(z, header, uploads[i])
		}
		if err != nil {
			return err
		}
		if _, err := attachment.Copy(w, uploads[i].Open()); err != nil {
			return err
		}
	}
	return z.Close()
}

// stored begins a file that is kept as it is.
func stored(z *zip.Writer, header *zip.FileHeader, u *attachment.Upload) (io.Writer, error) {
	const utf8Names, version20 = 0x800, 20
	header.Method, header.Flags, header.ReaderVersion = zip.Store, utf8Names, version20
	header.ModifiedDate, header.ModifiedTime, header.Extra = dated(header.Modified)                                  //nolint:staticcheck // raw headers go by them
	header.CRC32, header.CompressedSize64, header.UncompressedSize64 = u.CRC32(), uint64(u.Size()), uint64(u.Size()) //nolint:gosec // a size
	return z.CreateRaw(header)
}

// dated is when a file came about, as its header has it: in UTC as old readers know it, which do not
// know which clocks it is by, and as seconds for the others. What is written raw is given it so.
func dated(at time.Time) (day, clock uint16, extra []byte) {
	const since, extendedTime, length, modified = 1980, 0x5455, 5, 1
	at = at.UTC()
	day = uint16(at.Day() + int(at.Month())<<5 + (at.Year()-since)<<9) //nolint:gosec // a date of this age
	clock = uint16(at.Second()/2 + at.Minute()<<5 + at.Hour()<<11)     //nolint:gosec // a time of day
	extra = binary.LittleEndian.AppendUint16(extra, extendedTime)
	extra = append(binary.LittleEndian.AppendUint16(extra, length), modified)
	return day, clock, binary.LittleEndian.AppendUint32(extra, uint32(at.Unix())) //nolint:gosec // until 2106
}

// distinct are the names of files in an archive: safe as they are, and no two the same for those
// who take capital and small letters for one.
func distinct(files []attachment.File) []string {
	names, taken := make([]string, len(files)), map[string]bool{}
	for i, f := range files {
		stem, extension := f.Name, ""
		if dot := strings.LastIndexByte(f.Name, '.'); dot > 0 {
			stem, extension = f.Name[:dot], f.Name[dot:]
		}
		name := f.Name
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = stem + " (" + strconv.Itoa(n) + ")" + extension
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}
