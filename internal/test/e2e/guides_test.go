package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"diresco/internal/platform/config"
	"diresco/internal/test/dbtest"
)

// guide is a page whose shell blocks are run, and what they promise.
type guide struct {
	// page is the path from the root of the repository.
	page string
	// alone tells that each block stands by itself; else they are run in order, in one shell.
	alone bool
	// prints has what stands in the output.
	prints []string
	// pdfs names the files that the commands save.
	pdfs []string
}

var guides = []guide{
	{
		page: "README.md", alone: true,
		prints: []string{`"acting_as":"intermediary"`, "\nINPS.", `"protocol_number":"INPS.`, `{"valid":true,"finding":"genuine"}`},
		pdfs:   []string{"receipt.pdf"},
	},
	{
		page: "docs/declarations.md",
		prints: []string{
			"\nINPS.", "\ntrue\n", "\nVerified OK\n", `"acting_as":"legal_representative"`, `"state":"`, "\n404\n",
			`"published":true`, `{"pointer":"/version","code":"version-not-next"}`, `{"pointer":"/content_schema/properties/notes/pattern","code":"too-costly"}`,
			`{"pointer":"/content_schema/properties/notes/x-en/title","code":"required"}`, "\nAmounts by year\n",
			`{"state":"accepted","amount":"5550.00",`, `{"state":"accepted","step":"confirmation","amount":"5550.00"}`, `{"state":"confirmed"}`,
			`{"state":"provisionally_not_accepted","reasons":[{"code":"fund-exhausted"}]}`, `{"state":"lapsed"}`,
			`{"state":"accepted","amount":"12000.00"}`,
			`{"filed":2,"refused":1}`, `"code":"validation-failed","errors":[{"pointer":"/content/average_monthly_pay"`,
			`{"batch":"genuine"}`, `{"filed":1,"refused":2}`, `{"state":"refused","code":"duplicate"}`,
			"\nsubmitted\n", `{"state":"in_charge","by":"`, `{"state":"accepted","amount":"3000.00","currency":"EUR"}`, "\nin_charge by 7000\n",
			"\naccepted by 7000\n", `{"state":"superseded","superseded":true}`, "\nDichiarazione,Numero di protocollo,Presentata il\n",
			`{"type":"RIOC","state":"`,
		},
	},
	{
		page: "docs/electronic-file.md",
		prints: []string{
			`{"state":"withdrawn"}`, `{"happened":"declaration.withdrawn","state":"withdrawn","by":"`, `{"happened":"declaration.submitted","state":"`,
			"\n/v1/declarations/", "\nindex.html\nentries.csv\n%PDF-\n",
		},
	},
	{
		page: "docs/audit.md",
		prints: []string{
			"\nproof of a receipt of office ", `{"receipt":"the same"}`, "\nregistered at ", "\nthe log only grew\n", "\nleaves: ",
			"\nthe last was declaration, by ",
		},
	},
	{
		page: "docs/surveys.md",
		prints: []string{
			"\nchannel: ", "\n204\n409\n{\"answered\":true}\n", `{"state":"planned"}`, `["software","website","office"]`, "\nrole=\"img\"\n",
		},
	},
	{
		page: "docs/pin.md",
		prints: []string{
			`{"pin_change_required":false}`, `{"credential_level":"ordinary"}`, `{"credential_level":"dispositive"}`, `{"state":"accepted"}`,
			`{"pin_change_required":true}`,
		},
	},
	{
		page: "docs/identity.md",
		prints: []string{
			"\nsandbox-spid  spid  SPID di prova\n", "\nName=\"fiscalNumber\"\n",
			`{"login_method":"spid","login_level":2,"login_provider":"sandbox-spid","credential_level":"dispositive"}`, "\nBianchi\n",
			`{"login_method":"cie","login_level":3}`, "\nerror=access_denied&error_code=25\n", "\nerror=temporarily_unavailable\n",
			"\nerror=invalid_answer\n", `{"credential_level":"dispositive","login_provider":"sandbox-oidc"}`, "\n401\n",
			`{"family_name":"Fumagalli","user_class":"citizen"}`, `{"identity_confirmed":true}`, "\ncie\n",
			`{"differs_from":["register"],"login_provider":"sandbox-cie"}`,
		},
	},
	{
		page: "docs/delegations.md",
		prints: []string{
			`{"state":"active"}`, `{"acting_as":"intermediary"}`, `{"acting_as":"sub_delegate"}`, `{"state":"revoked"}`, "\n404\n",
		},
		pdfs: []string{"delegation.pdf"},
	},
	{
		page: "docs/dossier.md",
		prints: []string{
			`{"code":"payments-refunds","title":"Refunds and set-off","appointments":true}`,
			`"state":"open","office_code":"7000","subject":"[Versamenti] Rimborso di un F24","files":["F24.pdf","quietanza.txt"]}`, "DiResCo: quesito INPS.7000.",
			`{"text":"La quietanza è allegata.","by":"Bianchi"}`, `"state":"open","kind":"request"}`,
			`{"subject":"Nota di rettifica di febbraio","state":"open","by":"intermediary"}`, "\n206\n", "\nthe same\n", "\n409\n",
			`{"state":"in_charge","allows_appointment":true,"overdue":true}`,
		},
	},
	{page: "docs/users.md", prints: []string{`"acting_as":"employee_delegate"`, "\n404\n"}},
	{
		page: "docs/dossier-office.md",
		prints: []string{
			`{"state":"open","overdue":"none","subject":"Versamento di febbraio"}`, `{"found":1}`, `{"state":"in_charge","by":"`,
			`["visible","internal"]`, `{"state":"open","office_code":"4900","topic":"uniemens-corrections"}`, "\n404\n",
			`{"state":"closed","outcome":"informed"}`,
			`{"state":"open","outcome":null,"said":["La denuncia è stata corretta.","Ne manca ancora una."]}`, `{"template_code":"received"}`,
			"\nreceived\n", `{"topic_code":"payments-overdue","title_en":"Debts and reminders"}`,
		},
	},
	{page: "docs/smart-tasks.md", prints: []string{
		`{"offered":"pending"}`, `{"contact_email":"studio@ricci.example","contact_phone":"+390655550100"}`,
		`{"type":"change-intermediary-contacts","state":"accepted","reasons":[]}`,
		`{"type":"revoke-intermediary-delegation","state":"accepted","reasons":[]}`,
		`{"type":"revoke-intermediary-delegation","state":"not_accepted","reasons":["delegation-ended"]}`,
		`{"type":"change-employee-contacts","state":"accepted","reasons":[]}`,
		`{"role":"employee_delegate","contact_email":"paghe@tiberine.example"}`,
		`{"type":"revoke-employee-delegation","state":"accepted","reasons":[]}`, `{"imported":"done"}`,
		`{"kind":"email","state":"bounced","unusable":true}`,
		`{"type":"delete-rectification-contacts","state":"accepted","reasons":[]}`,
		`{"type":"delete-rectification-contacts","state":"not_accepted","reasons":["contact-usable"]}`,
		`{"open_to":"group"}`, "\n404\n", `{"open_to":"everybody"}`,
	}},
	{
		page: "docs/appointments.md",
		prints: []string{
			`{"published":true}`, "\nVia dell'Amba Aradam 5\nmonday\n", `{"state":"booked","held":true}`, `{"state":"confirmed"}`, `{"code":"slot-taken"}`,
			"METHOD:PUBLISH", "SEQUENCE:1", "STATUS:CONFIRMED", `{"topic":"payments-refunds","starts_at":"`,
			`{"withdrawal_reason":"Assemblea del personale"}`, "\nAppuntamento annullato dalla sede\n",
		},
	},
	{
		page: "docs/public-bodies.md",
		prints: []string{
			`{"amount":"12502.18","currency":"EUR"}`, `{"reference":"ND-0007"}`, `{"paid":57,"total":120}`, `"last":"submitted"}`, "\nINPS.3000.",
			`{"state":"submitted","workers":1,"pension":"442.15"}`, "\nthe same digest\n", "<Contributo>440,30</Contributo>",
			`{"form":"xml","state":"submitted"}`, `{"first":"superseded"}`,
			`{"code":"format","line":20,"pointer":"/DenunceMensili/Azienda/ListaPosPA/PosPA/D0_DenunciaIndividuale[1]/CFLavoratore"}`,
		},
	},
	{page: "docs/enrolments.md", prints: []string{"INPS.", `{"state":"accepted"}`, "\nview_payments\n"}},
	{
		page: "docs/integrating.md",
		prints: []string{
			"/oauth2/device and type ", `"scope":"declarations events offline_access"}`, `"by":"Bianchi","with":"sandbox-payroll"}`,
			"\nthe same successor\n", `"as":"intermediary"}`, `{"error":"invalid_client",`, `{"scope":"declarations events","refresh":false}`,
			"Access-Control-Allow-Origin: http://127.0.0.1:5173\n", "\ncom.example.paghe:/callback\n", "\nanother refresh token\n", `{"may_go_on":true}`, `401 {"code":"session-ended"}`,
			`{"valid":true,"finding":"genuine"}`, `422 {"code":"validation-failed"}`, `{"error":"invalid_grant",`, "\none draft\n",
			`{"type":"declaration.submitted","subject":"declaration"}`, "\nevent: declaration.submitted\n",
			`{"state":"enabled","secret":"whsec_","public_key":"whpk_"}`, "\nv1,\n", `{"type":"webhook.ping","subject":"webhook"}`,
			`{"count":0}`, `{"renewed":true}`,
			`,"state":"approved"}`, `{"pointer":"/redirect_uris/0","code":"uri-localhost"}`, `"https://app.paghe.example/callback"`,
			`{"display_name":"Paghe di prova","state":"suspended"}`, "\n404\n",
			`{"token_type":"DPoP","scope":"declarations offline_access"}`, "\n200\n401\n401\n",
		},
		pdfs: []string{"receipt.pdf"},
	},
	{page: "docs/registers.md", prints: []string{`"state":"failed"`, `"state":"done"`}},
	{
		page:   "docs/sandbox.md",
		prints: []string{"rep-rome: ", "Prova S.p.A.", `"channel":"email"`, "\n401\n", `{"pin_change_required":true}`, "\n204\n"},
	},
}

// runElsewhere has the pages with shell blocks that need more than a sandbox, and who runs them.
var runElsewhere = map[string]string{
	"docs/operations.md": "channels_test.go", "docs/keys.md": "../chaos/keys_test.go", "docs/restore.md": "../chaos/restore_test.go",
	"docs/deployment.md": "../chaos/deployment_test.go",
	"docs/security.md":   "../chaos/role_test.go", "docs/identity-card.md": "../peers/cards_test.go",
	"docs/identity-spid.md": "../chaos/spid_test.go",
}

var shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")

// root is where the repository begins, seen from this package.
var root = filepath.Join("..", "..", "..")

// pages lists all pages by their paths from the root.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md", ".github/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, filepath.ToSlash(relative))
		}
	}
	return found
}

// textOf returns a page.
func textOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shellBlocks returns the shell blocks of a page.
func shellBlocks(t *testing.T, page string) []string {
	t.Helper()
	var blocks []string
	for _, block := range shellBlock.FindAllStringSubmatch(textOf(t, page), -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// TestGuide_DoesWhatItSays runs every guide against a sandbox of its own, and then again.
func TestGuide_DoesWhatItSays(t *testing.T) {
	for _, g := range guides {
		t.Run(g.page, func(t *testing.T) {
			t.Parallel()
			blocks := shellBlocks(t, g.page)
			if len(blocks) < 2 {
				t.Fatalf("%d shell blocks", len(blocks))
			}
			if !g.alone {
				blocks = []string{strings.Join(blocks, "")}
			}
			w := start(t, dbtest.SQLite(t))
			for range 2 {
				g.run(t, w, blocks)
			}
		})
	}
}

// run runs the blocks of a guide, each in a shell of its own.
func (g guide) run(t *testing.T, w *fixture, blocks []string) {
	t.Helper()
	dir, printed := t.TempDir(), "\n"
	for _, block := range blocks {
		script := strings.ReplaceAll("set -euo pipefail\n"+block, "http://127.0.0.1:8080", w.url)
		command := exec.CommandContext(t.Context(), "bash", "-c", script)
		command.Dir = dir
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, block, out)
		}
		printed += string(out)
	}
	for _, want := range g.prints {
		if !strings.Contains(printed, want) {
			t.Errorf("the output has no %s:\n%s", want, printed)
		}
	}
	for _, name := range g.pdfs {
		pdf, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGuide_IsRunBySomebody: a page with shell blocks that no test runs would promise what nobody
// has seen.
func TestGuide_IsRunBySomebody(t *testing.T) {
	for _, page := range pages(t) {
		if len(shellBlocks(t, page)) == 0 || slices.ContainsFunc(guides, func(g guide) bool { return g.page == page }) {
			continue
		}
		runner, known := runElsewhere[page]
		if !known {
			t.Errorf("no test runs the shell blocks of %s", page)
			continue
		}
		source, err := os.ReadFile(runner)
		if err != nil || !strings.Contains(string(source), `"`+page+`"`) {
			t.Errorf("%s runs nothing of %s: %v", runner, page, err)
		}
	}
}

// TestGuide_BeginsLikeTheOthers: whoever has read one guide knows the first lines of all.
func TestGuide_BeginsLikeTheOthers(t *testing.T) {
	var first string
	for _, g := range guides {
		if !strings.HasPrefix(g.page, "docs/") {
			continue
		}
		begin := shellBlocks(t, g.page)[0]
		if first == "" {
			first = begin
		}
		if begin != first {
			t.Errorf("%s begins otherwise than %s", g.page, guides[1].page)
		}
	}
}

// TestReadme_IsShort: it is read in one go.
func TestReadme_IsShort(t *testing.T) {
	if lines := strings.Count(textOf(t, "README.md"), "\n"); lines > 120 {
		t.Errorf("%d lines", lines)
	}
}

var (
	link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	// named is a path from the root in code style. One with a star, a choice or a name to fill in
	// is none.
	named = regexp.MustCompile("`((?:api|cmd|db|docs|examples|internal|tools)/[^`*<>{}\\s]*)`")
)

// TestDocs_NameWhatExists: links lead somewhere, and paths are those of the tree.
func TestDocs_NameWhatExists(t *testing.T) {
	for _, page := range pages(t) {
		var paths []string
		for _, found := range link.FindAllStringSubmatch(textOf(t, page), -1) {
			if !strings.Contains(found[1], ":") {
				paths = append(paths, filepath.Join(filepath.Dir(filepath.FromSlash(page)), filepath.FromSlash(found[1])))
			}
		}
		for _, found := range named.FindAllStringSubmatch(textOf(t, page), -1) {
			paths = append(paths, filepath.FromSlash(found[1]))
		}
		for _, path := range paths {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s names %s, which does not exist", page, path)
			}
		}
	}
}

// variable is the name of a setting.
var variable = regexp.MustCompile(`\bDIRESCO_[A-Z_]*[A-Z]\b`)

// TestDocs_NameVariablesThatExist: what a page tells to set is read, and is what serve --help
// lists.
func TestDocs_NameVariablesThatExist(t *testing.T) {
	var help strings.Builder
	if err := config.Describe(&help); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		if page == "CHANGELOG.md" { // it tells of names that are gone
			continue
		}
		for _, name := range variable.FindAllString(textOf(t, page), -1) {
			if !strings.Contains(help.String(), "\n"+name+" ") {
				t.Errorf("%s names %s, which serve --help does not list", page, name)
			}
		}
	}
}
