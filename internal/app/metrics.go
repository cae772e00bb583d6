package app

import (
	"context"
	"net/http"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"diresco/db"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/telemetry"
)

// sandboxTag is that of the operations which a sandbox alone has.
const sandboxTag = "Sandbox"

// expectRoutes has every operation measured from the start.
func (a *App) expectRoutes(contract *openapi3.T, sandbox bool) {
	var routes []telemetry.Route
	for path, item := range contract.Paths.Map() {
		for method, o := range item.Operations() {
			if len(o.Tags) > 0 && o.Tags[0] == sandboxTag && !sandbox {
				continue
			}
			routes = append(routes, telemetry.Route{Method: method, Pattern: reqctx.BasePath + path, Status: success(o)})
		}
	}
	a.telemetry.Expect(routes)
}

// success is the status of an operation's answer when all is well.
func success(o *openapi3.Operation) int {
	least := http.StatusMultipleChoices
	for code := range o.Responses.Map() {
		if status, err := strconv.Atoi(code); err == nil && status < least {
			least = status
		}
	}
	if least == http.StatusMultipleChoices {
		return http.StatusOK
	}
	return least
}

// observeInstallation has what an installation is at appear in the metrics. That is the schema's
// version, the program's and the database's, and the age of the keys.
func (a *App) observeInstallation() error {
	target, err := db.TargetVersion()
	if err != nil {
		return err
	}
	meter, keys := a.telemetry.Meter(), keyring.NewManager(a.DB)
	schema, err := meter.Int64ObservableGauge("schema.version",
		metric.WithDescription("Version of the schema that the program works with, and of the database's."))
	if err != nil {
		return err
	}
	age, err := meter.Float64ObservableGauge("keys.age", metric.WithUnit("s"),
		metric.WithDescription("Age of each key since it came to the state that it is in, by kind, id and state."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		o.ObserveInt64(schema, target, metric.WithAttributes(attribute.String("of", "program")))
		version, err := a.DB.Version(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(schema, version, metric.WithAttributes(attribute.String("of", "database")))
		now, err := a.DB.Now(ctx)
		if err != nil {
			return err
		}
		listed, err := keys.List(ctx)
		if err != nil {
			return err
		}
		for _, k := range listed {
			o.ObserveFloat64(age, max(0, now.Sub(k.Since).Seconds()), metric.WithAttributes(
				attribute.String("kind", k.Kind), attribute.String("id", k.ID), attribute.String("state", k.State),
			))
		}
		return nil
	}, schema, age)
	return err
}

// observeReplica has how the database's replica fares appear in the metrics, if there is one.
func (a *App) observeReplica() error {
	if _, some := a.DB.Replica(); !some {
		return nil
	}
	meter := a.telemetry.Meter()
	fit, err := meter.Int64ObservableGauge("database.replica.fit",
		metric.WithDescription("1 while the database's replica answers reads, 0 while it is left out."))
	if err != nil {
		return err
	}
	lag, err := meter.Int64ObservableGauge("database.replica.lag", metric.WithUnit("By"),
		metric.WithDescription("What the replica had not applied of the leader's log when it was last looked at."))
	if err != nil {
		return err
	}
	reads, err := meter.Int64ObservableCounter("database.replica.reads",
		metric.WithDescription("Reads that a replica may answer, by who answered them: replica or leader."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		state, _ := a.DB.Replica()
		o.ObserveInt64(fit, map[bool]int64{true: 1}[state.Fit])
		o.ObserveInt64(lag, state.Lag)
		o.ObserveInt64(reads, state.Answered, metric.WithAttributes(attribute.String("by", "replica")))
		o.ObserveInt64(reads, state.Passed, metric.WithAttributes(attribute.String("by", "leader")))
		return nil
	}, fit, lag, reads)
	return err
}

// observeProviders has the number of providers that people can log in by appear in the metrics. It is 0
// for a kind that is configured while its metadata cannot be had: the rest of the service goes on.
func (a *App) observeProviders(known func() map[federation.Kind]int) error {
	meter := a.telemetry.Meter()
	providers, err := meter.Int64ObservableGauge("identity.providers",
		metric.WithDescription("Number of providers of SPID and CIE by SAML whose metadata are known, by kind."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for kind, n := range known() {
			o.ObserveInt64(providers, int64(n), metric.WithAttributes(attribute.String("kind", string(kind))))
		}
		return nil
	}, providers)
	return err
}
