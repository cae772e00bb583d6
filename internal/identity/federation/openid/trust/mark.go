package trust

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// federationEntity is the type of what stands above others.
const federationEntity = "federation_entity"

// mark is the content of a trust mark, or of a delegation to issue it.
type mark struct {
	Issuer     string `json:"iss"`
	Subject    string `json:"sub"`
	Type       string `json:"trust_mark_type"`
	ID         string `json:"id"`
	IssuedAt   int64  `json:"iat"`
	Expires    *int64 `json:"exp"`
	Delegation string `json:"delegation"`
}

// check holds a mark against whom and what it should be for, and returns when it ends.
func (m mark) check(subject, typ string, now time.Time) (time.Time, error) {
	if m.Subject != subject || (MarkEntry{Type: m.Type, ID: m.ID}).Named() != typ {
		return time.Time{}, ErrMark
	}
	ends := now.Add(longest)
	if m.Expires != nil {
		ends = time.Unix(*m.Expires, 0)
	}
	if within(m.IssuedAt, ends.Unix(), now) != nil {
		return time.Time{}, ErrMark
	}
	return ends, nil
}

// verifyMark finds a valid trust mark of the type among those that the party shows.
func (s *search) verifyMark(ctx context.Context, c chain, typ string) (MarkEntry, time.Time, error) {
	failed := ErrMark
	for _, entry := range c.statements[0].Marks {
		if entry.Named() != typ {
			continue
		}
		ends, err := s.markEnds(ctx, c, entry)
		if err == nil {
			return entry, ends, nil
		}
		if errors.Is(err, ErrUnreachable) {
			// It may well be good: another word than that it is not.
			failed = err
		}
	}
	return MarkEntry{}, time.Time{}, failed
}

// markEnds verifies a trust mark and returns until when it is good.
func (s *search) markEnds(ctx context.Context, c chain, entry MarkEntry) (time.Time, error) {
	signed, err := parse(entry.Mark, MarkType)
	if err != nil {
		return time.Time{}, err
	}
	var claimed mark
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claimed) != nil {
		return time.Time{}, ErrMark
	}
	anchor := c.anchor()
	if claimed.Issuer != anchor.Subject && !slices.Contains(anchor.MarkIssuers[entry.Named()], claimed.Issuer) {
		return time.Time{}, ErrMark
	}
	by, err := s.issuer(ctx, c, claimed.Issuer)
	if err != nil {
		return time.Time{}, err
	}
	payload, err := Signed(entry.Mark, MarkType, by.keys)
	if err != nil {
		return time.Time{}, err
	}
	var verified mark
	if json.Unmarshal(payload, &verified) != nil || verified.Issuer != claimed.Issuer {
		return time.Time{}, ErrMark
	}
	ends, err := verified.check(c.statements[0].Subject, entry.Named(), s.now)
	if err != nil {
		return time.Time{}, err
	}
	if by.status != "" {
		if err := s.checkStatus(ctx, by, entry.Mark); err != nil {
			return time.Time{}, err
		}
		s.asked = true
	}
	owner, owned := anchor.MarkOwners[entry.Named()]
	if !owned {
		return earlier(ends, by.until), nil
	}
	if payload, err = Signed(verified.Delegation, delegationType, owner.Keys); err != nil {
		return time.Time{}, err
	}
	var delegation mark
	if json.Unmarshal(payload, &delegation) != nil || delegation.Issuer != owner.Subject {
		return time.Time{}, ErrMark
	}
	delegated, err := delegation.check(verified.Issuer, entry.Named(), s.now)
	return earlier(earlier(ends, by.until), delegated), err
}

// issuer returns who issues a trust mark, as the anchor's chain to it says.
func (s *search) issuer(ctx context.Context, c chain, name string) (issuer, error) {
	if anchor := c.anchor(); name == anchor.Subject {
		return issuer{name, anchor.Keys, c.expires, statusEndpoint(anchor.Metadata[federationEntity])}, nil
	}
	anchor, _ := s.anchor(c.anchor().Subject)
	inner := &search{
		resolver: s.resolver, now: s.now, left: s.left,
		demands: Demands{Anchors: []Anchor{anchor}, MaxPath: maxIntermediates},
	}
	found, keys, err := inner.resolve(ctx, name, federationEntity)
	s.left = inner.left
	return issuer{name, keys, found.expires, statusEndpoint(found.metadata)}, err
}

// CheckOwn tells whether a trust mark that an entity is about to show is one, is about that entity and
// has not ended. Who signed it is for others to verify.
func CheckOwn(entry MarkEntry, entity string, now time.Time) error {
	signed, err := parse(entry.Mark, MarkType)
	if err != nil {
		return ErrMark
	}
	var claimed mark
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claimed) != nil {
		return ErrMark
	}
	_, err = claimed.check(entity, entry.Named(), now)
	return err
}
