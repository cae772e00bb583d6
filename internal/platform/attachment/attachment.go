// Package attachment takes in the files that users send with a form. It keeps them aside while the
// request lasts, tells by their content what they are, gives them names that harm nobody, and
// stores them under paths of our own.
package attachment

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"diresco/internal/platform/fault"
)

// MaxSize is how long one file may be, in bytes: 5 MiB. A telephone's photograph has up to 4.
const MaxSize = 5 << 20

// MediaType is what a file is, by its content.
type MediaType string

// The media types that somebody may allow.
const (
	PDF  MediaType = "application/pdf"
	JPEG MediaType = "image/jpeg"
	PNG  MediaType = "image/png"
	TIFF MediaType = "image/tiff"
	HEIC MediaType = "image/heic"
	// P7M is a signature (CMS) around a document; ASiCS and ASiCE are archives with signatures.
	P7M   MediaType = "application/pkcs7-mime"
	ASiCS MediaType = "application/vnd.etsi.asic-s+zip"
	ASiCE MediaType = "application/vnd.etsi.asic-e+zip"
	// What follows says nothing of itself, or can hold anything. See isXML, isText and isArchive for
	// what is taken for it.
	XML  MediaType = "application/xml"
	Text MediaType = "text/plain"
	ZIP  MediaType = "application/zip"
)

// spoken is what people call the types.
var spoken = map[MediaType]string{
	PDF: "PDF", JPEG: "JPEG", PNG: "PNG", TIFF: "TIFF", HEIC: "HEIC", P7M: "P7M", ASiCS: "ASiC-S", ASiCE: "ASiC-E", XML: "XML",
	Text: "TXT", ZIP: "ZIP",
}

// Documents are the media types of a scanned or printed document.
func Documents() []MediaType { return []MediaType{PDF, JPEG, PNG, TIFF, HEIC} }

// Signed are the media types of documents with a signature around them.
func Signed() []MediaType { return []MediaType{P7M, ASiCS, ASiCE} }

// extensions are those that a name may have, the usual one first.
var extensions = map[MediaType][]string{
	PDF: {".pdf"}, JPEG: {".jpg", ".jpeg", ".jpe", ".jfif"}, PNG: {".png", ".apng"}, TIFF: {".tif", ".tiff"},
	HEIC: {".heic", ".heif"}, P7M: {".p7m", ".p7s"}, ASiCS: {".asics", ".scs", ".zip"}, ASiCE: {".asice", ".sce", ".zip"},
	XML: {".xml"}, Text: {".txt", ".csv", ".log"}, ZIP: {".zip"},
}

// File is a file that was taken in, as its owner and whoever reads it see it.
type File struct {
	// Number is its place among those that came with it, from 1 on.
	Number int `json:"number"`
	// Name is what its sender called it, made safe.
	Name      string    `json:"file_name"`
	MediaType MediaType `json:"media_type"`
	// Size is its length in bytes.
	Size int64 `json:"size"`
	// Digest is "sha-256:" and the hexadecimal SHA-256 of its content.
	Digest string `json:"digest"`
}

// Check tells what the uploads are. Their sizes, their content and nothing that their sender says
// of them count. It returns fault.Invalid with the place of each that is empty, too long, of a type
// that is not allowed, or a PDF that asks for a password; pointer names the field.
func Check(uploads []*Upload, pointer string, allowed ...MediaType) ([]File, error) {
	return CheckUpTo(MaxSize, uploads, pointer, allowed...)
}

// CheckUpTo is Check for files of another length, in bytes, MaxSize at most. It also refuses
// archives that are not safe to open.
func CheckUpTo(size int64, uploads []*Upload, pointer string, allowed ...MediaType) ([]File, error) {
	files := make([]File, len(uploads))
	var wrong []fault.Field
	for i, u := range uploads {
		found, code, err := identify(u, size, allowed)
		if err != nil {
			return nil, err
		}
		if code != "" {
			wrong = append(wrong, fault.Field{Pointer: Pointer(pointer, i), Code: code, Right: right(code, size, allowed)})
			continue
		}
		files[i] = File{Number: i + 1, Name: SafeName(u.Name(), found), MediaType: found, Size: u.Size(), Digest: u.Digest()}
	}
	if len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	return files, nil
}

// right says what would have been taken instead of a file of a wrong type or length.
func right(code string, size int64, allowed []MediaType) *fault.Right {
	switch code {
	case fault.FieldFileType:
		names := make([]string, len(allowed))
		for i, t := range allowed {
			names[i] = spoken[t]
		}
		return &fault.Right{Allowed: names, Expected: UpTo(size)}
	case fault.FieldFileTooLarge:
		return &fault.Right{Expected: UpTo(size)}
	}
	return nil
}

// UpTo says how long a file may be: "≤ 3 MiB".
func UpTo(size int64) string {
	const mebi = 1 << 20
	return "≤ " + strconv.FormatFloat(float64(size)/mebi, 'f', -1, 64) + " MiB"
}

// headLength is how much of a file is looked at to tell its type.
const headLength = 3072

func identify(u *Upload, size int64, allowed []MediaType) (found MediaType, code string, err error) {
	switch {
	case u.Size() == 0:
		return "", fault.FieldFileEmpty, nil
	case u.Size() > size:
		return "", fault.FieldFileTooLarge, nil
	}
	head := make([]byte, min(u.Size(), headLength))
	if _, err := io.ReadFull(u.Open(), head); err != nil {
		return "", "", err
	}
	if found = detect(u, head, allowed); found == "" {
		return "", fault.FieldFileType, nil
	}
	switch found {
	case PDF:
		// Few are encrypted, and only those are read whole: many files come in at once.
		if mentioned, err := mentions(u.Open(), "/Encrypt"); err != nil || !mentioned {
			return found, "", err
		}
		content, err := io.ReadAll(u.Open())
		if err != nil {
			return "", "", err
		}
		if asksForPassword(content) {
			return "", fault.FieldFilePassword, nil
		}
	case ZIP, ASiCS, ASiCE:
		// A container of signed files is an archive too, whatever else is in it.
		return found, refuseArchive(u), nil
	case JPEG, PNG, TIFF, HEIC, P7M, XML, Text:
	}
	return found, "", nil
}

// mentions reports whether a text stands somewhere in a file, which it reads piece by piece.
func mentions(r io.Reader, text string) (bool, error) {
	const piece = 32 << 10
	buffer, kept := make([]byte, piece), 0
	for {
		n, err := r.Read(buffer[kept:])
		if bytes.Contains(buffer[:kept+n], []byte(text)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		// What stands across two pieces is found in the next.
		kept = copy(buffer, buffer[max(0, kept+n-len(text)+1):kept+n])
	}
}
