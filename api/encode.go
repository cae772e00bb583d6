package api

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// AppendDeclarationList appends a page of declarations as encoding/json writes it, to the byte. It
// is the longest answer of the busiest lists, and reflection was half of what it cost.
func AppendDeclarationList(b []byte, page DeclarationList) ([]byte, error) {
	e := encoder{b: b}
	e.raw(`{"_links":{`)
	if page.Links.Next != nil {
		e.raw(`"next":`)
		e.link(*page.Links.Next)
		e.raw(`,`)
	}
	e.raw(`"self":`)
	e.link(page.Links.Self)
	e.raw(`},"items":[`)
	for i := range page.Items {
		if i > 0 {
			e.raw(`,`)
		}
		e.declarationSummary(&page.Items[i])
	}
	e.raw(`]`)
	e.optionalText(`,"next_cursor":`, page.NextCursor)
	e.raw(`}`)
	return e.b, e.err
}

// AppendDeclaration appends a declaration as encoding/json writes it. Its content is JSON already,
// as it was checked when it was filed.
func AppendDeclaration(b []byte, d *Declaration) ([]byte, error) {
	e := encoder{b: b}
	e.raw(`{"_links":`)
	e.declarationLinks(&d.Links)
	e.optionalText(`,"amount":`, d.Amount)
	e.assigned(d.AssignedAt, d.AssignedTo)
	e.optionalTime(`,"confirm_by":`, d.ConfirmBy)
	e.raw(`,"content":`)
	e.json(d.Content)
	e.raw(`,"contributor_id":`)
	e.id(d.ContributorId)
	e.raw(`,"created_at":`)
	e.time(d.CreatedAt)
	e.optionalText(`,"currency":`, (*string)(d.Currency))
	e.optionalTime(`,"decided_at":`, d.DecidedAt)
	e.raw(`,"declaration_id":`)
	e.id(d.DeclarationId)
	e.raw(`,"filed_by":`)
	e.filedBy(&d.FiledBy)
	e.optionalTime(`,"hire_by":`, d.HireBy)
	e.optionalTime(`,"lapses_at":`, d.LapsesAt)
	e.raw(`,"position_id":`)
	e.id(d.PositionId)
	e.optionalText(`,"protocol_number":`, d.ProtocolNumber)
	e.optionalReasons(d.Reasons)
	if d.Receipt != nil {
		e.raw(`,"receipt":`)
		e.receipt(d.Receipt)
	}
	e.optionalID(`,"reservation_id":`, d.ReservationId)
	e.stands(d.State, d.Step)
	e.optionalTime(`,"submitted_at":`, d.SubmittedAt)
	e.optionalID(`,"superseded_by_id":`, d.SupersededById)
	e.optionalID(`,"supersedes_id":`, d.SupersedesId)
	e.typed(d.Type, d.TypeVersion)
	e.raw(`,"updated_at":`)
	e.time(d.UpdatedAt)
	e.raw(`}`)
	return e.b, e.err
}

// encoder appends JSON. Its methods for types write every member in the order of the type's fields.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) declarationSummary(d *DeclarationSummary) {
	e.raw(`{"_links":{"self":`)
	e.link(d.Links.Self)
	e.raw(`}`)
	e.optionalText(`,"amount":`, d.Amount)
	e.assigned(d.AssignedAt, d.AssignedTo)
	e.optionalTime(`,"confirm_by":`, d.ConfirmBy)
	e.raw(`,"contributor_id":`)
	e.id(d.ContributorId)
	e.raw(`,"created_at":`)
	e.time(d.CreatedAt)
	e.optionalText(`,"currency":`, (*string)(d.Currency))
	e.optionalTime(`,"decided_at":`, d.DecidedAt)
	e.raw(`,"declaration_id":`)
	e.id(d.DeclarationId)
	e.raw(`,"filed_by":`)
	e.filedBy(&d.FiledBy)
	e.optionalTime(`,"hire_by":`, d.HireBy)
	e.optionalTime(`,"lapses_at":`, d.LapsesAt)
	e.raw(`,"position_id":`)
	e.id(d.PositionId)
	e.optionalText(`,"protocol_number":`, d.ProtocolNumber)
	e.optionalReasons(d.Reasons)
	e.optionalID(`,"reservation_id":`, d.ReservationId)
	e.stands(d.State, d.Step)
	e.optionalTime(`,"submitted_at":`, d.SubmittedAt)
	e.optionalID(`,"superseded_by_id":`, d.SupersededById)
	e.optionalID(`,"supersedes_id":`, d.SupersedesId)
	e.typed(d.Type, d.TypeVersion)
	e.raw(`}`)
}

func (e *encoder) declarationLinks(l *DeclarationLinks) {
	e.raw(`{"contributor":`)
	e.link(l.Contributor)
	e.optionalLink(`,"history":`, l.History)
	e.optionalLink(`,"receipt":`, l.Receipt)
	e.optionalLink(`,"reservation":`, l.Reservation)
	e.raw(`,"self":`)
	e.link(l.Self)
	e.optionalLink(`,"submission":`, l.Submission)
	e.optionalLink(`,"superseded_by":`, l.SupersededBy)
	e.optionalLink(`,"supersedes":`, l.Supersedes)
	e.optionalLink(`,"withdrawal":`, l.Withdrawal)
	e.raw(`}`)
}

func (e *encoder) receipt(r *Receipt) {
	e.raw(`{`)
	if r.ClientId != nil {
		e.raw(`"client_id":`)
		e.text(*r.ClientId)
		e.raw(`,`)
	}
	e.raw(`"declaration_id":`)
	e.id(r.DeclarationId)
	e.raw(`,"digest":`)
	e.text(r.Digest)
	e.raw(`,"jws":`)
	e.text(r.Jws)
	e.raw(`,"protocol_number":`)
	e.text(r.ProtocolNumber)
	e.raw(`,"submitted_at":`)
	e.time(r.SubmittedAt)
	e.raw(`}`)
}

func (e *encoder) assigned(at *time.Time, to *PersonReference) {
	e.optionalTime(`,"assigned_at":`, at)
	if to != nil {
		e.raw(`,"assigned_to":`)
		e.personReference(to)
	}
}

func (e *encoder) stands(state DeclarationState, step DeclarationStep) {
	e.raw(`,"state":`)
	e.text(string(state))
	e.raw(`,"step":`)
	e.text(string(step))
}

func (e *encoder) typed(code DeclarationTypeCode, version int32) {
	e.raw(`,"type":`)
	e.text(code)
	e.raw(`,"type_version":`)
	e.b = strconv.AppendInt(e.b, int64(version), 10)
}

func (e *encoder) personReference(p *PersonReference) {
	e.raw(`{"family_name":`)
	e.text(p.FamilyName)
	e.raw(`,"given_name":`)
	e.text(p.GivenName)
	e.raw(`,"person_id":`)
	e.id(p.PersonId)
	e.raw(`}`)
}

func (e *encoder) filedBy(f *FiledBy) {
	e.raw(`{"acting_as":`)
	e.text(string(f.ActingAs))
	e.optionalText(`,"client_id":`, f.ClientId)
	e.raw(`,"family_name":`)
	e.text(f.FamilyName)
	e.raw(`,"given_name":`)
	e.text(f.GivenName)
	e.raw(`,"person_id":`)
	e.id(f.PersonId)
	e.raw(`,"right_id":`)
	e.id(f.RightId)
	e.raw(`}`)
}

func (e *encoder) optionalReasons(all *[]DeclarationReason) {
	if all == nil {
		return
	}
	e.raw(`,"reasons":`)
	if *all == nil {
		e.raw(`null`)
		return
	}
	e.raw(`[`)
	for i, r := range *all {
		if i > 0 {
			e.raw(`,`)
		}
		e.raw(`{"code":`)
		e.text(string(r.Code))
		e.optionalText(`,"text":`, r.Text)
		e.raw(`}`)
	}
	e.raw(`]`)
}

func (e *encoder) link(l Link) {
	e.raw(`{"href":`)
	e.text(l.Href)
	e.raw(`}`)
}

func (e *encoder) optionalLink(name string, l *Link) {
	if l != nil {
		e.raw(name)
		e.link(*l)
	}
}

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

// text appends a text. What must be escaped is left to encoding/json.
func (e *encoder) text(s string) {
	if !plain(s) {
		escaped, err := json.Marshal(s)
		e.b = append(e.b, escaped...)
		e.fail(err)
		return
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, s...)
	e.b = append(e.b, '"')
}

// json appends JSON without its blanks, and escaped as encoding/json does it. It does not look
// whether it is any.
func (e *encoder) json(raw json.RawMessage) {
	if raw == nil {
		e.raw(`null`)
		return
	}
	const escapes = `0123456789abcdef`
	quoted, copied := false, 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			i++ // what follows ends no text
		case c == '<' || c == '>' || c == '&':
			e.b = append(append(e.b, raw[copied:i]...), '\\', 'u', '0', '0', escapes[c>>4], escapes[c&15])
			copied = i + 1
		case c == 0xE2 && i+2 < len(raw) && raw[i+1] == 0x80 && raw[i+2]&^1 == 0xA8: // U+2028, U+2029
			e.b = append(append(e.b, raw[copied:i]...), '\\', 'u', '2', '0', '2', escapes[raw[i+2]&15])
			i += 2
			copied = i + 1
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			e.b = append(e.b, raw[copied:i]...)
			copied = i + 1
		}
	}
	e.b = append(e.b, raw[copied:]...)
}

// plain reports whether a text is written as it is.
func plain(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			return false
		}
		i += size
	}
	return true
}

func (e *encoder) time(t time.Time) {
	e.b = append(e.b, '"')
	var err error
	e.b, err = t.AppendText(e.b)
	e.b = append(e.b, '"')
	e.fail(err)
}

func (e *encoder) id(id uuid.UUID) {
	e.b = append(e.b, '"')
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			e.b = append(e.b, '-')
		}
		e.b = hex.AppendEncode(e.b, part)
	}
	e.b = append(e.b, '"')
}

func (e *encoder) optionalText(name string, s *string) {
	if s != nil {
		e.raw(name)
		e.text(*s)
	}
}

func (e *encoder) optionalTime(name string, t *time.Time) {
	if t != nil {
		e.raw(name)
		e.time(*t)
	}
}

func (e *encoder) optionalID(name string, id *uuid.UUID) {
	if id != nil {
		e.raw(name)
		e.id(*id)
	}
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}
