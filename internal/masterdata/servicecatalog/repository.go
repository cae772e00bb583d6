package servicecatalog

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
)

// repository reads and writes services and menus.
type repository struct{ db *db.DB }

// serviceRow is a service as it is stored.
type serviceRow struct {
	Code         string
	Version      int
	TitleIt      string
	TitleEn      string
	Section      string
	Audience     string
	RightService *string
	Links        string
}

func (row serviceRow) service() (Service, error) {
	s := Service{Code: row.Code, Version: row.Version, TitleIT: row.TitleIt, TitleEN: row.TitleEn, Section: row.Section}
	if row.RightService != nil {
		s.RightService = access.Service(*row.RightService)
	}
	if err := json.Unmarshal([]byte(row.Audience), &s.Audience); err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(row.Links), &s.Links)
}

// all returns the services that were not withdrawn, with their channels, by code. A code selects
// one service.
func (r repository) all(ctx context.Context, code string) ([]Service, error) {
	return db.FromReplica(ctx, r.db, func(ctx context.Context) ([]Service, error) { return r.allNow(ctx, code) })
}

func (r repository) allNow(ctx context.Context, code string) ([]Service, error) {
	var rows []serviceRow
	err := r.db.From(ctx).Raw(
		"SELECT code, version, title_it, title_en, section, audience, right_service, links FROM services WHERE withdrawn_at IS NULL AND "+
			"(code = ? OR ? = '')",
		code, code,
	).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	var channels []struct {
		ServiceCode string
		Channel     Channel `gorm:"embedded"`
	}
	err = r.db.From(ctx).Raw(
		"SELECT service_code, channel, opens_at, closes_at, href FROM service_channels WHERE service_code = ? OR ? = '' ORDER BY "+
			"service_code, channel",
		code, code,
	).Scan(&channels).Error
	if err != nil {
		return nil, err
	}
	all := make([]Service, len(rows))
	for i, row := range rows {
		if all[i], err = row.service(); err != nil {
			return nil, err
		}
		for _, c := range channels {
			if c.ServiceCode == row.Code {
				c.Channel.OpensAt, c.Channel.ClosesAt = utc(c.Channel.OpensAt), utc(c.Channel.ClosesAt)
				all[i].Channels = append(all[i].Channels, c.Channel)
			}
		}
	}
	return all, nil
}

// codes returns the codes of all services that ever were.
func (r repository) codes(ctx context.Context) (map[string]bool, error) {
	var codes []string
	if err := r.db.From(ctx).Raw("SELECT code FROM services").Scan(&codes).Error; err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(codes))
	for _, c := range codes {
		known[c] = true
	}
	return known, nil
}

// put adds a service, or brings an older one up to date with its channels. What else was changed or
// added stays.
func (r repository) put(ctx context.Context, s Service) error {
	audience, err := json.Marshal(s.Audience)
	if err != nil {
		return err
	}
	links, err := json.Marshal(s.Links)
	if err != nil {
		return err
	}
	var right *string
	if s.RightService != "" {
		right = (*string)(&s.RightService)
	}
	put := r.db.From(ctx).Exec(`INSERT INTO services (code, version, title_it, title_en, section, audience, right_service, links)
		VALUES ( ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (code) DO UPDATE
		SET version = excluded.version, title_it = excluded.title_it, title_en = excluded.title_en, section = excluded.section,
		audience = excluded.audience, right_service = excluded.right_service, links = excluded.links
		WHERE services.version < excluded.version`,
		s.Code, s.Version, s.TitleIT, s.TitleEN, s.Section, string(audience), right, string(links))
	if put.Error != nil || put.RowsAffected == 0 {
		return put.Error
	}
	for _, c := range s.Channels {
		if err := r.putChannel(ctx, s.Code, c); err != nil {
			return err
		}
	}
	return nil
}

func (r repository) putChannel(ctx context.Context, service string, c Channel) error {
	return r.db.From(ctx).Exec(`INSERT INTO service_channels (service_code, channel, opens_at, closes_at, href) VALUES ( ?, ?, ?, ?, ?)
		ON CONFLICT (service_code, channel) DO UPDATE
		SET opens_at = excluded.opens_at, closes_at = excluded.closes_at, href = excluded.href`,
		service, c.Channel, utc(c.OpensAt), utc(c.ClosesAt), c.Href).Error
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// lockMenu returns a person's menu and keeps it unchanged until the end of the transaction. The
// person stands in for the menu, which may not be there yet; rows that point to the person are not
// held up.
func (r repository) lockMenu(ctx context.Context, personID uuid.UUID) (Menu, error) {
	if err := r.db.From(ctx).Exec("SELECT 1 FROM people WHERE id = ?"+r.db.ForNoKeyUpdate(), personID).Error; err != nil {
		return Menu{}, err
	}
	return r.menu(ctx, personID)
}

// menu returns how a person arranged the services; who never did has no entries.
func (r repository) menu(ctx context.Context, personID uuid.UUID) (Menu, error) {
	var found []Menu
	err := r.db.From(ctx).Where("person_id = ?", personID).Find(&found).Error
	if err != nil || len(found) == 0 {
		return Menu{PersonID: personID, Entries: []Entry{}, Version: Unarranged}, err
	}
	return found[0], nil
}

// putMenu writes a menu over the one before it, if there is one.
func (r repository) putMenu(ctx context.Context, m Menu) error {
	entries, err := json.Marshal(m.Entries)
	if err != nil {
		return err
	}
	return r.db.From(ctx).Exec(`INSERT INTO menus (person_id, entries, version, updated_at) VALUES ( ?, ?, ?, ?)
		ON CONFLICT (person_id) DO UPDATE SET entries = excluded.entries, version = excluded.version, updated_at = excluded.updated_at`,
		m.PersonID, string(entries), m.Version, m.UpdatedAt).Error
}
