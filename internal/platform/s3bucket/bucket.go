package s3bucket

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what S3 asks for
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// pageSize is how many names a list asks for at once: the most that S3 gives.
const pageSize = 1000

// errUnsupported is what nobody here needs of a bucket.
var errUnsupported = errors.New("not supported for S3 buckets")

// bucket is what gocloud.dev/blob needs of S3. Keys are made by this program, so that none holds
// what S3 cannot bear.
type bucket struct {
	client     minio.Core
	name       string
	encryption encrypt.ServerSide
}

// ErrorCode implements driver.Bucket.
func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	if errors.Is(err, errUnsupported) {
		return gcerrors.Unimplemented
	}
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.Code == minio.NoSuchKey || answer.Code == minio.NoSuchBucket || answer.StatusCode == http.StatusNotFound:
		return gcerrors.NotFound
	case answer.StatusCode == http.StatusPreconditionFailed:
		return gcerrors.FailedPrecondition
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return gcerrors.PermissionDenied
	default:
		return gcerrors.Unknown
	}
}

// As implements driver.Bucket.
func (b *bucket) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (b *bucket) ErrorAs(error, any) bool { return false }

// Close implements driver.Bucket.
func (b *bucket) Close() error { return nil }

// Copy implements driver.Bucket.
func (b *bucket) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return errUnsupported
}

// SignedURL implements driver.Bucket.
func (b *bucket) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errUnsupported
}

// Attributes implements driver.Bucket.
func (b *bucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	found, err := b.client.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		ContentType: found.ContentType, ModTime: found.LastModified, Size: found.Size, ETag: found.ETag,
		AsFunc: func(any) bool { return false },
	}, nil
}

// Delete implements driver.Bucket. S3 says nothing of what was not there, and it is looked at first.
func (b *bucket) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	if _, err := b.client.StatObject(ctx, b.name, key, minio.StatObjectOptions{}); err != nil {
		return err
	}
	return b.client.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{})
}

// ListPaged implements driver.Bucket. The token of a page is the last name of the one before.
func (b *bucket) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if o.Delimiter != "" {
		return nil, errUnsupported
	}
	size := o.PageSize
	if size <= 0 || size > pageSize {
		size = pageSize
	}
	// The client would go on to the pages after this one, which nobody asked for yet.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	page := &driver.ListPage{}
	for found := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{
		Prefix: o.Prefix, Recursive: true, StartAfter: string(o.PageToken), MaxKeys: size + 1,
	}) {
		if found.Err != nil {
			return nil, found.Err
		}
		if len(page.Objects) == size {
			page.NextPageToken = []byte(page.Objects[size-1].Key)
			break
		}
		page.Objects = append(page.Objects, &driver.ListObject{
			Key: found.Key, ModTime: found.LastModified, Size: found.Size,
			AsFunc: func(any) bool { return false },
		})
	}
	return page, nil
}

// NewRangeReader implements driver.Bucket.
func (b *bucket) NewRangeReader(ctx context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	var options minio.GetObjectOptions
	switch {
	case length == 0:
		// S3 cannot give nothing: one byte is asked for, and not read.
		options.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset))
	case length > 0:
		options.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		options.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	content, found, header, err := b.client.GetObject(ctx, b.name, key, options)
	if err != nil {
		return nil, err
	}
	size := found.Size
	if _, whole, ranged := strings.Cut(header.Get("Content-Range"), "/"); ranged {
		if size, err = strconv.ParseInt(whole, 10, 64); err != nil {
			return nil, errors.Join(err, content.Close())
		}
	}
	if length == 0 {
		if err := content.Close(); err != nil {
			return nil, err
		}
		content = http.NoBody
	}
	return &reader{content, driver.ReaderAttributes{ContentType: found.ContentType, ModTime: found.LastModified, Size: size}}, nil
}

// reader reads an object, or a part of it.
type reader struct {
	io.ReadCloser
	attributes driver.ReaderAttributes
}

// Attributes implements driver.Reader.
func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attributes }

// As implements driver.Reader.
func (r *reader) As(any) bool { return false }

// NewTypedWriter implements driver.Bucket.
func (b *bucket) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if len(o.Metadata) > 0 {
		return nil, errUnsupported
	}
	options := minio.PutObjectOptions{
		ContentType: contentType, CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition,
		ContentEncoding: o.ContentEncoding, ContentLanguage: o.ContentLanguage, ServerSideEncryption: b.encryption, PartSize: partSize,
		// Signed by digests as a whole, and not piece by piece.
		SendContentMd5: true, DisableContentSha256: true,
	}
	if o.IfNotExist {
		options.SetMatchETagExcept("*")
	}
	return &writer{
		ctx: ctx, whole: md5.New(), want: o.ContentMD5, //nolint:gosec // what S3 asks for
		put: func(content []byte, digest string) error {
			sum := sha256.Sum256(content)
			_, err := b.client.PutObject(
				ctx, b.name, key, bytes.NewReader(content), int64(len(content)), digest, hex.EncodeToString(sum[:]), options,
			)
			return err
		},
		putParts: func(content io.Reader) error {
			_, err := b.client.Client.PutObject(ctx, b.name, key, content, -1, options)
			return err
		},
	}, nil
}
