// Package deploy holds the files of deploy/ against the schemas of what reads them. It is a module of
// its own, since they bring a lot.
package deploy

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const files = "../../deploy"

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(files, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Kubernetes takes every document, with no field that it does not know.
func TestKubernetes(t *testing.T) {
	kinds := map[string]func() any{
		"v1/ConfigMap":                  func() any { return new(core.ConfigMap) },
		"v1/Service":                    func() any { return new(core.Service) },
		"apps/v1/Deployment":            func() any { return new(apps.Deployment) },
		"batch/v1/Job":                  func() any { return new(batch.Job) },
		"policy/v1/PodDisruptionBudget": func() any { return new(policy.PodDisruptionBudget) },
	}
	documents := bytes.Split(read(t, "kubernetes.yaml"), []byte("\n---\n"))
	if len(documents) < 5 {
		t.Fatalf("%d documents", len(documents))
	}
	for _, document := range documents {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatal(err)
		}
		kind, known := kinds[head.APIVersion+"/"+head.Kind]
		if !known {
			t.Errorf("%s/%s is not among what is checked", head.APIVersion, head.Kind)
			continue
		}
		if err := yaml.UnmarshalStrict(document, kind()); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
	}
}

// Compose takes its file.
func TestCompose(t *testing.T) {
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: files, ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: read(t, "compose.yaml")}},
	}, func(o *loader.Options) { o.SetProjectName("diresco", true) })
	if err != nil || len(project.Services) == 0 {
		t.Fatal(project, err)
	}
}

// Prometheus takes the alerts and understands what each asks for.
func TestAlerts(t *testing.T) {
	groups, errs := rulefmt.Parse(read(t, "alerts.yml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil || len(groups.Groups) == 0 || !strings.HasPrefix(groups.Groups[0].Rules[0].Alert, "Diresco") {
		t.Error("no alerts")
	}
}
