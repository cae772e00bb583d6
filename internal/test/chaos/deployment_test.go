package chaos

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deploymentPage = "docs/deployment.md"

// fenced is a block of a page with its language. It may stand in a list.
var fenced = regexp.MustCompile("(?ms)^( *)```(\\w+)\n(.*?)^ *```$")

type codeBlock struct{ language, text string }

// codeBlocks returns the blocks of a text in order.
func codeBlocks(text string) []codeBlock {
	var blocks []codeBlock
	for _, found := range fenced.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, codeBlock{found[2], strings.ReplaceAll(found[3], "\n"+found[1], "\n")})
	}
	return blocks
}

// page returns the text of a page, or of its part below a heading.
func page(t *testing.T, path, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	if heading == "" {
		return string(text)
	}
	_, below, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no part %q", path, heading)
	}
	part, _, _ := strings.Cut(below, "\n## ")
	return part
}

// deployment does what the page says, in a directory instead of a whole machine.
type deployment struct {
	t   *testing.T
	dir string
	// superuser is the address of the database server.
	superuser string
	// words puts what this test has in the place of what the page names.
	words  *strings.Replacer
	server *server
	said   string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	_, database := postgres(t)
	at, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{t: t, dir: t.TempDir(), superuser: database}
	s := newServer(t, "serve", nil)
	d.server = s
	name := "deployed_" + strings.TrimPrefix(at.Path, "/")
	d.words = strings.NewReplacer(
		"@db.example.org/diresco?sslmode=verify-full", "@/"+name+"?"+at.RawQuery, "DATABASE diresco ", "DATABASE "+name+" ",
		"diresco_owner", name+"_owner", "diresco_app", name+"_app",
		"/etc/systemd", d.dir+"/etc/systemd", "/etc/diresco", d.dir+"/etc/diresco", "/var/lib/diresco", d.dir+"/var/lib/diresco", "/usr/local/", d.dir+"/usr/local/",
		"https://diresco.example.org", "http://"+s.given["ADDR"], "127.0.0.1:8080", s.given["ADDR"], "127.0.0.1:9090", freeAddress(t),
	)
	for _, made := range []string{"etc", "usr/local/bin", "usr/local/sbin", "var/lib/diresco", "bin"} {
		if err := os.MkdirAll(filepath.Join(d.dir, made), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(d.dir, "deploy"), os.DirFS(filepath.Join(root, "deploy"))); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "etc", "systemd", "system"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The program was built for these tests already.
	if err := os.Link(binary, filepath.Join(d.dir, "bin", "diresco")); err != nil {
		t.Fatal(err)
	}
	return d
}

// shell runs commands of the page. What systemd would do is done by the test.
func (d *deployment) shell(text string) {
	d.t.Helper()
	script := "set -euo pipefail\nmake() { :; }\nsystemctl() { :; }\n" + d.words.Replace(text)
	command := exec.CommandContext(d.t.Context(), "bash", "-c", script)
	command.Dir = d.dir
	command.Env = variables{}.environment("PATH=" + d.dir + "/usr/local/bin:" + d.dir + "/usr/local/sbin:" + os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	d.said += string(out)
	if err != nil {
		d.t.Fatalf("%v\n%s\n%s", err, text, out)
	}
}

// sql runs statements, as the superuser of the page or as the owner of the schema.
func (d *deployment) sql(text, address string) {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", address)
	command.Stdin = strings.NewReader(d.words.Replace(text))
	if out, err := command.CombinedOutput(); err != nil {
		d.t.Fatalf("%v\n%s\n%s", err, text, out)
	}
}

// secret returns the content of a file of the page.
func (d *deployment) secret(name string) string {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, "etc", "diresco", name))
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// restart runs the service as the unit does: with the variables of its file, and the secrets.
func (d *deployment) restart() {
	d.t.Helper()
	if d.server.process != nil {
		d.server.terminate()
	}
	etc := filepath.Join(d.dir, "etc", "diresco")
	for line := range strings.Lines(d.secret("diresco.env")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		d.server.given[strings.TrimPrefix(name, "DIRESCO_")] = strings.Trim(value, "'")
	}
	for name, file := range map[string]string{
		"SIGNING_KEYS": "signing-keys.json", "DATA_KEYS_FILE": "data-keys", "DATABASE_URL_FILE": "database-url",
	} {
		d.server.given[name] = filepath.Join(etc, file)
	}
	d.server.start()
}

// do runs one block. Where it starts the service the test does so.
func (d *deployment) do(block codeBlock) {
	d.t.Helper()
	switch block.language {
	case "sql":
		d.sql(block.text, d.superuser)
	case "sh":
		before, starts, after := cutAt(block.text, "systemctl enable", "systemctl restart")
		d.shell(before)
		if starts {
			d.restart()
			d.shell(after)
		}
	}
}

// cutAt cuts a text before the first line that begins with one of the words.
func cutAt(text string, words ...string) (before string, found bool, after string) {
	for line := range strings.Lines(text) {
		found = found || slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(line, word) })
		if found {
			after += line
		} else {
			before += line
		}
	}
	return before, found, after
}

// verifyUnit has systemd read the unit, where there is one to ask. It warns, and ends well, for
// what it does not know.
func (d *deployment) verifyUnit() {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", "diresco.service"))
	if err != nil {
		d.t.Fatal(err)
	}
	verifier, err := exec.LookPath("systemd-analyze")
	if err != nil {
		d.t.Log("no systemd here: the unit was not verified")
		return
	}
	path := filepath.Join(d.dir, "diresco.service")
	if err := os.WriteFile(path, []byte(d.words.Replace(string(text))), 0o600); err != nil {
		d.t.Fatal(err)
	}
	out, err := exec.CommandContext(d.t.Context(), verifier, "verify", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "diresco.service") {
		d.t.Errorf("the unit: %v\n%s", err, out)
	}
}

// TestDeployment_FromAnEmptyDatabaseToTheFirstOperator runs the page from its first block to its
// last.
func TestDeployment_FromAnEmptyDatabaseToTheFirstOperator(t *testing.T) {
	d := newDeployment(t)
	for _, block := range codeBlocks(page(t, deploymentPage, "")) {
		d.do(block)
	}
	d.verifyUnit()
	for _, want := range []string{
		"was brought from version 0 to", "restricted: cannot rewrite the audit trail", "are those of the database", "the new PIN: ",
		`{"user_class":"operator","office_code":"7000"}`, "is at version", "used",
	} {
		if !strings.Contains(d.said, want) {
			t.Errorf("nothing said %q:\n%s", want, d.said)
		}
	}
	if strings.Contains(d.said, "fail  ") {
		t.Errorf("a try failed:\n%s", d.said)
	}
	d.server.terminate()
	d.nobodyElseReads()
}

// nobodyElseReads looks for files of the page, programs apart, that others on the machine can read.
// Each block is run in a shell of its own, as who comes back to the page later runs it.
func (d *deployment) nobodyElseReads() {
	d.t.Helper()
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, "/bin/") || strings.Contains(path, "/sbin/") ||
			strings.HasPrefix(path, filepath.Join(d.dir, "deploy")) || strings.Contains(path, "/systemd/") {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			d.t.Errorf("others can read %s: %s", strings.TrimPrefix(path, d.dir), info.Mode())
		}
		return err
	})
	if err != nil {
		d.t.Error(err)
	}
}

// TestDeployment_AlertsAskForWhatIsMeasured: an alert on a name that no process gives is silent for
// ever.
func TestDeployment_AlertsAskForWhatIsMeasured(t *testing.T) {
	admin := freeAddress(t)
	dir := t.TempDir()
	s := newServer(t, "serve", variables{"DATABASE_URL": "sqlite:" + filepath.Join(dir, "d.db"), "DATA_DIR": dir, "ADMIN_ADDR": admin})
	s.start()
	scraped, err := newSite(t, "http://"+admin).send(t.Context(), request{method: http.MethodGet, path: "/metrics"})
	if err != nil || scraped.status != http.StatusOK {
		t.Fatalf("%d, %v", scraped.status, err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(page(t, "deploy/alerts.yml", "")), &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 5 {
		t.Fatalf("%+v", rules)
	}
	for _, rule := range rules.Groups[0].Rules {
		if rule.Annotations["summary"] == "" {
			t.Errorf("%s does not say what to do", rule.Alert)
		}
		asksForWhatThereIs(t, rule.Alert, rule.Expr, scraped.body)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(page(t, "deploy/dashboard.json", "")), &dashboard); err != nil || len(dashboard.Panels) < 5 {
		t.Fatal(err, len(dashboard.Panels))
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			asksForWhatThereIs(t, panel.Title, target.Expr, scraped.body)
		}
	}
	s.terminate()
}

// metric is a name in an expression of Prometheus, once what stands in braces and after "by" is gone.
var (
	metric    = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	notMetric = regexp.MustCompile(`\{(?:[^{}"]|"[^"]*")*\}|(?:by|ignoring) \([a-z_, ]*\)|histogram_quantile`)
)

// asksForWhatThereIs looks for the metrics of an expression among those of a new process.
func asksForWhatThereIs(t *testing.T, who, expression string, scraped []byte) {
	t.Helper()
	names := metric.FindAllString(notMetric.ReplaceAllString(expression, ""), -1)
	if len(names) == 0 && !strings.Contains(expression, "up{") {
		t.Errorf("%s asks for nothing: %s", who, expression)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).Match(scraped) {
			t.Errorf("%s asks for %s, which a new process does not give", who, name)
		}
	}
}

// TestDeployment_ComposeFileNamesWhatThereIs: its variables are read by the program, and its
// secrets are declared.
func TestDeployment_ComposeFileNamesWhatThereIs(t *testing.T) {
	type service struct {
		Build, Restart string
		ReadOnly       bool `yaml:"read_only"`
		Tmpfs, Ports   []string
		Environment    map[string]string
		Secrets        []string
		Volumes        []string
		Grace          string `yaml:"stop_grace_period"`
	}
	var file struct {
		Services map[string]service
		Secrets  map[string]struct{ File string }
		Volumes  map[string]struct{}
	}
	decoder := yaml.NewDecoder(strings.NewReader(page(t, "deploy/compose.yaml", "")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	help := succeed(t, nil, "serve", "--help")
	for name, s := range file.Services {
		for variable, value := range s.Environment {
			if !strings.Contains(help, "\n"+variable+" ") {
				t.Errorf("%s: there is no %s", name, variable)
			}
			if secret, found := strings.CutPrefix(value, "/run/secrets/"); found && !slices.Contains(s.Secrets, secret) {
				t.Errorf("%s: %s is not among its secrets", name, secret)
			}
		}
		for _, secret := range s.Secrets {
			if file.Secrets[secret].File == "" {
				t.Errorf("%s: the secret %s is nowhere", name, secret)
			}
		}
		for _, volume := range s.Volumes {
			volume, _, _ = strings.Cut(volume, ":")
			if _, declared := file.Volumes[volume]; !declared {
				t.Errorf("%s: the volume %s is nowhere", name, volume)
			}
		}
	}
	if len(file.Services) == 0 {
		t.Error("no services")
	}
}
