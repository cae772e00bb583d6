package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRatio_OfMediansWithTheSpreadOfTheRounds(t *testing.T) {
	m := &measure{values: [2][]float64{{100, 120, 80}, {160, 150, 240}}}
	of, low, high := m.ratio()
	if of != 1.6 || low != 1.25 || high != 3 {
		t.Errorf("ratio %v (%v–%v)", of, low, high)
	}
	if of, _, _ := (&measure{values: [2][]float64{{1}, nil}}).ratio(); !math.IsNaN(of) {
		t.Errorf("a ratio without a second value is %v", of)
	}
}

func TestRatio_Middle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{5}, 5}, {[]float64{9, 1, 4}, 4}, {[]float64{1, 9, 4, 6}, 5}} {
		if got := middle(c.values); got != c.want {
			t.Errorf("the median of %v is %v", c.values, got)
		}
	}
	if !math.IsNaN(middle(nil)) {
		t.Error("the median of nothing is a number")
	}
	if got := spread([]float64{3, 1, 2}, hundredths); got != "2.00 (1.00–3.00)" {
		t.Errorf("spread %s", got)
	}
}

func TestRatio_Goals(t *testing.T) {
	for _, c := range []struct {
		goal          goal
		ratio, value  float64
		text, verdict string
	}{
		{goal{}, 1, 1, "", ""},
		{ratioAtLeast(1.6), 1.6, 0, "≥ 1.6 ×", "reached"},
		{ratioAtLeast(1.6), 1.59, 9, "≥ 1.6 ×", "missed"},
		{ratioAtMost(0.75), 0.75, 9, "≤ 0.75 ×", "reached"},
		{ratioAtMost(0.75), 0.76, 0, "≤ 0.75 ×", "missed"},
		{valueAtLeast(0.95), 0, 0.96, "≥ 0.95", "reached"},
		{valueAtMost(2), 0, 2.01, "≤ 2.00", "missed"},
		{ratioAtLeast(1), math.NaN(), 1, "≥ 1 ×", "missed"},
	} {
		if text, verdict := c.goal.text(hundredths), c.goal.verdict(c.ratio, c.value); text != c.text || verdict != c.verdict {
			t.Errorf("%+v: %q, %q", c, text, verdict)
		}
	}
}

func TestRatio_Table(t *testing.T) {
	c := &comparison{names: [2]string{"old", "now"}}
	for i, values := range [][2]float64{{100, 190}, {110, 180}, {90, 170}} {
		for who, value := range values {
			c.note(who, "rate", thousands, goal{}, value)
			c.note(who, "memory", hundredths, goal{}, 50+float64(i)*float64(who))
			c.note(who, "p99", hundredths, goal{}, []float64{1, []float64{0.5, 2, 3}[i]}[who])
		}
	}
	c.note(1, "rate", thousands, ratioAtLeast(1.6), 180)
	c.noteCost(0, "rate", &result{answers: map[int]int{201: 10}, usage: usage{server: time.Millisecond, database: 2 * time.Millisecond}})
	c.noteCost(1, "rate", &result{answers: map[int]int{201: 20}, usage: usage{server: time.Millisecond, database: 2 * time.Millisecond}})
	var b strings.Builder
	c.table().print(&b)
	c.costTable().print(&b)
	for _, line := range []string{
		"| rate    | 100 (90.0–110)      | 180 (170–190)       | 1.80 × (1.64–1.90) | ≥ 1.6 × | reached                  |",
		"| memory  | 50.00 (50.00–50.00) | 51.00 (50.00–52.00) | 1.02 × (1.00–1.04) |         | within the noise of ±8 % |",
		"| 2.00 × (0.50–3.00) |         | the rounds disagree      |",
		"| 100 + 200 + 0.0 | 50.0 + 100 + 0.0 | 0.50 ×",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no line %s in\n%s", line, b.String())
		}
	}
}

func TestRevision_ReadsWhatItsAdapterTells(t *testing.T) {
	told := `{"pin": "7K3MQ9XA", "filers": [{"tax_code": "A", "contributor": "C", "office": "7000", "spread": "P", "central": "Q"}],
		"long": {"contributor": "L"}, "short": {"contributor": "S"}, "logins": ["B"],
		"variables": {"ADDR": "{address}", "DATABASE_URL": "{database}", "DATA_DIR": "{directory}", "RATE_SESSION": "1000000"}}`
	w, variables, err := readAdapter([]byte(told))
	if err != nil {
		t.Fatal(err)
	}
	f := w.filers[0]
	if w.pin != "7K3MQ9XA" || f.taxCode != "A" || f.contributor != "C" || f.office != "7000" || f.spread != "P" || f.central != "Q" ||
		w.long.contributor != "L" || w.short.contributor != "S" || w.logins[0].taxCode != "B" {
		t.Errorf("read %+v, %+v", w, f)
	}
	if users := w.users(); len(users) != 3 {
		t.Errorf("%d people log in, not the three who file", len(users))
	}
	given := (&revision{variables: variables}).environment("127.0.0.1:1", "sqlite:/x.db", "/x")
	if given["ADDR"] != "127.0.0.1:1" || given["DATABASE_URL"] != "sqlite:/x.db" || given["DATA_DIR"] != "/x" ||
		given["RATE_SESSION"] != "1000000" {
		t.Errorf("variables %v", given)
	}
	for _, wrong := range []string{"", "{}", `{"pin": "7K3MQ9XA", "filers": [], "logins": ["B"]}`} {
		if _, _, err := readAdapter([]byte(wrong)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// The adapter is compiled only in a revision: here it is seen that it fits this one.
func TestRevision_TheAdapterFits(t *testing.T) {
	dir := t.TempDir()
	added := filepath.Join(dir, "adapter.go")
	if err := os.WriteFile(added, adapter, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "zz_adapter.go"): added}})
	if err != nil {
		t.Fatal(err)
	}
	listed := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(listed, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := output(t.Context(), here, "go", "vet", "-overlay", listed, "."); err != nil {
		t.Error(err)
	}
}

func TestRevision_FindsTheLoadGenerator(t *testing.T) {
	for _, where := range []string{"internal/bench", "internal/test/bench"} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, where), 0o750); err != nil {
			t.Fatal(err)
		}
		if got, err := generatorOf(root); err != nil || got != where {
			t.Errorf("found %q: %v", got, err)
		}
	}
	if _, err := generatorOf(t.TempDir()); err == nil {
		t.Error("a tree without one has one")
	}
}

func TestPgbench_ReadsHowMuchItDid(t *testing.T) {
	out := "pgbench (15.8)\nnumber of clients: 5\nnumber of transactions actually processed: 250\ntps = 125.5 (without initial connection time)\n"
	if n, err := readPgbench(out); err != nil || n != 250*together {
		t.Errorf("read %d: %v", n, err)
	}
	if _, err := readPgbench("pgbench: error: connection failed"); err == nil {
		t.Error("a failure counts as done")
	}
}

func TestGrowth_TableHasTheLawBetweenPlaces(t *testing.T) {
	c := &curve{Along: "clients", Points: []point{
		{Work: "read", At: 4, Rate: 200, P99: 10}, {Work: "read", At: 1, Rate: 100, P99: 10}, {Work: "read", At: 2, Rate: 200, P99: 5},
	}}
	var b strings.Builder
	c.table().print(&b)
	for _, line := range []string{
		"| 1       | read | 100      | 0.00 ms | 10.00 ms | –                            | –                           |",
		"| 2       | read | 200      | 0.00 ms | 5.00 ms  | 1.00                         | -1.00                       |",
		"| 4       | read | 200      | 0.00 ms | 10.00 ms | 0.00                         | 1.00                        |",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no line %s in\n%s", line, b.String())
		}
	}
}

func TestGrowth_KeepsTheOtherCurves(t *testing.T) {
	path := filepath.Join(t.TempDir(), growthFile)
	for _, c := range []*curve{
		{Name: "rows", Points: []point{{Work: "read", At: 1}}}, {Name: "clients"}, {Name: "rows", Points: []point{{Work: "read", At: 2}}},
	} {
		if err := keepCurve(path, c); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept []curve
	if err := json.Unmarshal(content, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || kept[0].Name != "clients" || kept[1].Name != "rows" || kept[1].Points[0].At != 2 {
		t.Errorf("kept %+v", kept)
	}
	if err := os.WriteFile(path, []byte("no curves"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keepCurve(path, &curve{Name: "rows"}); err == nil {
		t.Error("a file that is something else was overwritten")
	}
}
