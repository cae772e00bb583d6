package app_test

import (
	"context"
	"strings"
	"testing"

	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
)

// What is wrong with the arguments is named before the database is asked.
func TestAdministrator_WhatIsWrongIsNamed(t *testing.T) {
	good := app.NewAdministrator{TaxCode: "RSSMRA80A01H501U", Office: "7000", GivenName: "Mario", FamilyName: "Rossi"}
	for argument, change := range map[string]func(*app.NewAdministrator){
		"--tax-code":     func(a *app.NewAdministrator) { a.TaxCode = "RSSMRA80A01H501X" },
		"--office":       func(a *app.NewAdministrator) { a.Office = "70001" },
		"--office-title": func(a *app.NewAdministrator) { a.OfficeTitle = "Ro\u202ema" },
		"--given-name":   func(a *app.NewAdministrator) { a.GivenName = "<img>" },
		"--family-name":  func(a *app.NewAdministrator) { a.FamilyName = "" },
	} {
		in := good
		change(&in)
		_, err := app.CreateAdministrator(context.Background(), config.Config{DatabaseURL: secret.Text("none")}, in)
		if err == nil || !strings.HasPrefix(err.Error(), argument+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", argument, err)
		}
	}
}
