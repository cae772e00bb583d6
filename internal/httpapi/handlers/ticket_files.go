package handlers

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"diresco/api"
	"diresco/internal/dossier/ticket"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/attachment"
)

// DownloadTicketAttachments implements api.StrictServerInterface: the archive, or the part of it
// that the caller asks for.
func (h TicketHandlers) DownloadTicketAttachments(
	ctx context.Context, r api.DownloadTicketAttachmentsRequestObject,
) (api.DownloadTicketAttachmentsResponseObject, error) {
	found, content, err := h.Tickets.Archive(ctx, reqctx.ActorOf(ctx), r.TicketId)
	if err != nil {
		return nil, err
	}
	return downloadOf(ctx, found, content, r.Params.Range, r.Params.IfRange), nil
}

// downloadOf is the archive of a ticket, or the part of it that is asked for.
func downloadOf(ctx context.Context, v ticket.View, content io.ReadSeekCloser, wanted, ifTag *string) download {
	// A protocol number has strokes, which no name of a file has.
	name := "quesito-" + strings.ReplaceAll(v.ProtocolNumber, "/", "-") + ".zip"
	return download{
		answer:  reqctx.AnswerOf(ctx),
		content: content, size: *v.ArchiveSize, tag: `"` + strings.TrimPrefix(*v.ArchiveDigest, "sha-256:") + `"`,
		wanted: value(wanted), ifTag: value(ifTag), mediaType: "application/zip", disposition: attachment.Disposition(name),
	}
}

// download is a file that never changes, of which a part may be asked for (RFC 9110 section 14).
type download struct {
	content                     io.ReadSeekCloser
	size                        int64
	tag, mediaType, disposition string
	// wanted is the Range header, ifTag the If-Range header.
	wanted, ifTag string
	answer        reqctx.Answer
}

// VisitDownloadTicketAttachmentsResponse implements api.DownloadTicketAttachmentsResponseObject.
func (d download) VisitDownloadTicketAttachmentsResponse(w http.ResponseWriter) error {
	return d.send(w)
}

// send writes the file, or the part of it.
func (d download) send(w http.ResponseWriter) error {
	defer func() { _ = d.content.Close() }()
	from, to, part := d.part()
	h := w.Header()
	h.Set("Content-Type", d.mediaType)
	h.Set("Content-Disposition", d.disposition)
	h.Set("ETag", d.tag)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	status := http.StatusOK
	if part {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(to-1, 10)+"/"+strconv.FormatInt(d.size, 10))
		status = http.StatusPartialContent
		if _, err := d.content.Seek(from, io.SeekStart); err != nil {
			return err
		}
	}
	w.WriteHeader(status)
	if d.answer.HeadersOnly {
		return nil
	}
	const piece = 32 << 10
	buffered := bufio.NewWriterSize(pieces{w, d.answer.Extend}, piece)
	// In pieces: a large file takes longer than an answer has, on a slow line.
	if _, err := io.CopyN(struct{ io.Writer }{buffered}, d.content, to-from); err != nil {
		return err
	}
	return buffered.Flush()
}

// oneRange is a range of bytes: the first and the last, or how many from the end.
var oneRange = regexp.MustCompile(`^bytes=([0-9]{0,18})-([0-9]{0,18})$`)

// part returns what is asked for, from one byte to the one before another. What is no single range,
// cannot be met or is of another file gets the whole.
func (d download) part() (from, to int64, part bool) {
	asked := oneRange.FindStringSubmatch(d.wanted)
	if asked == nil || d.ifTag != "" && d.ifTag != d.tag {
		return 0, d.size, false
	}
	first, noFirst := strconv.ParseInt(asked[1], 10, 64)
	last, noLast := strconv.ParseInt(asked[2], 10, 64)
	switch {
	case noFirst != nil && noLast != nil, noFirst == nil && first >= d.size, noFirst == nil && noLast == nil && last < first,
		noFirst != nil && last == 0:
		return 0, d.size, false
	case noFirst != nil:
		return max(0, d.size-last), d.size, true
	case noLast != nil:
		return first, d.size, true
	}
	return first, min(last+1, d.size), true
}
