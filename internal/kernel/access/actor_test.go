package access_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

func TestActor_TheRightToFile(t *testing.T) {
	company, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	right := func(role access.ActingAs, services ...access.Service) access.Right {
		return access.Right{ID: uuid.Must(uuid.NewV7()), ContributorID: company, ActingAs: role, Services: services}
	}
	representative, employer := right(access.LegalRepresentative, access.AllServices), right(access.Employer, access.Declarations)
	delegate, blind := right(access.EmployeeDelegate, access.Declarations), right(access.EmployeeDelegate, "other")
	administrator, operator := right(access.UserAdministrator, access.AllServices), right(access.OfficeOperator, access.AllServices)
	here, there := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	delegated := func(role access.ActingAs, positions ...uuid.UUID) access.Right {
		r := right(role, access.Declarations)
		r.Positions = positions
		return r
	}
	intermediary, elsewhere, worker := delegated(
		access.Intermediary, there, here,
	), delegated(access.Intermediary, there), delegated(access.SubDelegate, here)
	unknown := uuid.Must(uuid.NewV7())
	for _, c := range []struct {
		name   string
		rights []access.Right
		of     uuid.UUID
		wanted *uuid.UUID
		got    uuid.UUID
		want   fault.Code
	}{
		{"nothing to do with it", nil, company, nil, uuid.Nil, fault.NotFound},
		{"another contributor", []access.Right{representative}, other, nil, uuid.Nil, fault.NotFound},
		{
			"another contributor, by a right of this one",
			[]access.Right{representative},
			other, &representative.ID, uuid.Nil,
			fault.NotFound,
		},
		{"the only right", []access.Right{delegate}, company, nil, delegate.ID, ""},
		{"own right first", []access.Right{delegate, employer, representative, operator}, company, nil, representative.ID, ""},
		{"employer before delegate", []access.Right{delegate, employer}, company, nil, employer.ID, ""},
		{"the one that covers declarations", []access.Right{blind, administrator, delegate}, company, nil, delegate.ID, ""},
		{"the one asked for", []access.Right{representative, delegate}, company, &delegate.ID, delegate.ID, ""},
		{"one asked for that is not there", []access.Right{representative}, company, &unknown, uuid.Nil, fault.Invalid},
		{
			"one asked for that does not cover declarations",
			[]access.Right{representative, blind},
			company, &blind.ID, uuid.Nil,
			fault.ServiceNotDelegated,
		},
		{
			"one asked for that manages users",
			[]access.Right{representative, administrator},
			company, &administrator.ID, uuid.Nil,
			fault.Forbidden,
		},
		{"a role before a delegation", []access.Right{worker, intermediary, delegate}, company, nil, delegate.ID, ""},
		{"a delegation before a sub-delegation", []access.Right{worker, intermediary}, company, nil, intermediary.ID, ""},
		{"the delegation about the position", []access.Right{elsewhere, worker}, company, nil, worker.ID, ""},
		{"no right about the position", []access.Right{elsewhere}, company, nil, uuid.Nil, fault.Invalid},
		{"one asked for about another position", []access.Right{elsewhere, worker}, company, &elsewhere.ID, uuid.Nil, fault.Invalid},
		{"without the service", []access.Right{blind}, company, nil, uuid.Nil, fault.ServiceNotDelegated},
		{"a user administrator", []access.Right{administrator}, company, nil, uuid.Nil, fault.Forbidden},
		{"an operator", []access.Right{operator}, company, nil, uuid.Nil, fault.Forbidden},
	} {
		// The database gives rights in any order.
		for _, rights := range [][]access.Right{c.rights, reversed(c.rights)} {
			got, err := access.Actor{ContributorID: company, Rights: rights}.RightToFile(c.of, here, c.wanted)
			var f *fault.Fault
			switch {
			case c.want != "":
				if !errors.As(err, &f) || f.Code != c.want {
					t.Errorf("%s: %v, want %q", c.name, err, c.want)
				}
			case err != nil || got.ID != c.got:
				t.Errorf("%s: %s, %v", c.name, got.ActingAs, err)
			}
		}
	}
}

func reversed(rights []access.Right) []access.Right {
	back := slices.Clone(rights)
	slices.Reverse(back)
	return back
}

func TestActor_WhatARightCovers(t *testing.T) {
	for _, c := range []struct {
		services []access.Service
		want     bool
	}{
		{nil, false},
		{[]access.Service{"other"}, false},
		{[]access.Service{"other", access.Declarations}, true},
		{[]access.Service{access.AllServices}, true},
	} {
		if got := (access.Right{Services: c.services}).Covers(access.Declarations); got != c.want {
			t.Errorf("%v covers declarations: %v", c.services, got)
		}
	}
}

func TestActor_StoredServicesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "*", `{"a":1}`, `["*"`, `[1]`} {
		var services access.ServiceSet
		if err := services.Scan(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
