package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"diresco/api/client"
)

// dmaList is a list of public employees as it is compiled by hand.
func dmaList(period string) map[string]any {
	return map[string]any{
		"period": period,
		"sender": map[string]any{
			"person_tax_code": "RSSMRA80A01H501U", "legal_name": "Comune di Castel Mugello", "tax_code": comuneTaxCode,
		},
		"body_number": "00000", "signatory_tax_code": "RSSMRA80A01H501U", "activity_code": "84111", "legal_form": "2430",
		"workers": []any{map[string]any{
			"tax_code": "MKJRLA80A01L407X", "family_name": "D'Alò", "given_name": "Niccolò",
			"workplace": map[string]any{"municipality_code": "C123", "postal_code": "50032"},
			"periods": []any{map[string]any{
				"start_day": period + "-01", "end_day": period + "-28",
				"framing": map[string]any{
					"employment_type": "1", "service_type": "4", "contract": "RALN", "qualification": "042000", "severance_scheme": "3",
				},
				"funds": map[string]any{"pension": map[string]any{"code": "2", "taxable": "1850.00", "contribution": "440.30"}},
			}},
		}},
	}
}

// dmaOf files a list for the filer's position, whose contributor is a public body for that moment.
func (w *fixture) dmaOf(f filer) {
	w.t.Helper()
	w.execute("UPDATE contributors SET kind = 'public_body' WHERE id = ?", f.contributor)
	filed := w.do(http.MethodPost, "/v1/positions/"+f.position.String()+"/dma-submissions", f.token, dmaList("2026-01"), key())
	w.dma, _ = filed.want(w.t, http.StatusCreated, "").field("dma_id").(string)
	w.execute("UPDATE contributors SET kind = 'company' WHERE id = ?", f.contributor)
}

// publicBody is the employee of the sandbox's municipality, and its position.
func (w *fixture) publicBody() (token, position string) {
	w.t.Helper()
	p := w.person(func(p client.SandboxPerson) bool { return p.Key == "public-body-delegate" })
	token = w.loginAs(p).AccessToken
	found := w.do(http.MethodGet, "/v1/contributors/"+p.ContributorIds[0].String()+"/positions", token, nil).want(w.t, http.StatusOK, "")
	var page client.PositionList
	found.decode(w.t, &page)
	return token, "/v1/positions/" + page.Items[0].PositionId.String()
}

var xmlType = header{"Content-Type", "application/xml"}

// TestPublicBody_SeesAndFilesWhatItHas: the register's sections, a list by hand and one as XML, its
// file, and the event.
func TestPublicBody_SeesAndFilesWhatItHas(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token, position := w.publicBody()
		get := func(path string, headers ...header) answer {
			return w.do(http.MethodGet, path, token, nil, headers...).want(t, http.StatusOK, "")
		}
		for section, has := range map[string]string{
			"/payments": `"amount":"12502.18"`, "/debit-notes": `"reference":"ND-0007"`, "/amortisation-plans": `"paid":57,"total":120}`,
		} {
			if a := get(position + section); !bytes.Contains(a.body, []byte(has)) {
				t.Errorf("%s: %s", section, a.body)
			}
		}
		if a := get(position + "/payments?from=2100-01-01"); !bytes.Contains(a.body, []byte(`"items":[]`)) {
			t.Errorf("payments to come: %s", a.body)
		}
		var seeded client.DmaSubmissionList
		get(position+"/dma-submissions").decode(t, &seeded)
		if len(seeded.Items) != 2 || seeded.Items[0].State != "submitted" || seeded.Items[1].State != "superseded" {
			t.Fatalf("the sandbox has %+v", seeded.Items)
		}

		period := seeded.Items[0].Period
		once := key()
		list := dmaList("2026-01")
		filed := w.do(http.MethodPost, position+"/dma-submissions", token, list, once).want(t, http.StatusCreated, "")
		again := w.do(http.MethodPost, position+"/dma-submissions", token, list, once).want(t, http.StatusCreated, "")
		if !bytes.Equal(filed.body, again.body) {
			t.Errorf("a repeat answers otherwise: %s", again.body)
		}
		var d client.DmaSubmission
		filed.decode(t, &d)
		path := filed.header.Get("Location")
		if d.State != "submitted" || !protocolNumber.MatchString(d.ProtocolNumber) || path != "/v1/dma-submissions/"+d.DmaId.String() ||
			d.Totals.PensionContribution != "440.30" {
			t.Errorf("filed as %s", filed.body)
		}
		shown := get(path)
		if content := mustJSON(t, shown.field("content")); content != mustJSON(t, list) {
			t.Errorf("its content is %s", content)
		}
		w.do(http.MethodPost, position+"/dma-submissions", token, list, key()).want(t, http.StatusConflict, "conflict")
		if a := get(position + "/summary"); !bytes.Contains(a.body, []byte(d.DmaId.String())) || !bytes.Contains(a.body, []byte(`"last_payment"`)) {
			t.Errorf("summary: %s", a.body)
		}

		file := get(path + "/xml")
		tag := file.header.Get("ETag")
		w.do(http.MethodGet, path+"/xml", token, nil, header{"If-None-Match", tag}).want(t, http.StatusNotModified, "")
		part := w.do(http.MethodGet, path+"/xml", token, nil, header{"Range", "bytes=10-19"}).want(t, http.StatusPartialContent, "")
		if !bytes.Equal(part.body, file.body[10:20]) || !strings.HasPrefix(part.header.Get("Content-Range"), "bytes 10-19/") {
			t.Errorf("a part: %s", part.body)
		}

		corrected := bytes.Replace(file.body, []byte("440,30"), []byte("441,30"), 1)
		sent := w.do(
			http.MethodPost, position+"/dma-submissions?supersedes_id="+d.DmaId.String(), token, string(corrected), key(), xmlType,
		).want(t, http.StatusCreated, "")
		if sent.field("form") != "xml" || sent.field("supersedes_id") != d.DmaId.String() || get(path).field("state") != "superseded" {
			t.Errorf("sent as %s", sent.body)
		}
		if kept := get(sent.header.Get("Location") + "/xml"); !bytes.Equal(kept.body, corrected) {
			t.Errorf("kept as %s", kept.body)
		}
		if a := get(position + "/dma-submissions?state=submitted&period_from=" + period); len(a.field("items").([]any)) != 1 {
			t.Errorf("filtered: %s", a.body)
		}
		events := w.events(token, "")
		told := map[string]int{}
		for _, e := range events.Items {
			told[string(e.Type)]++
		}
		if told["dma.submitted"] != 2 || told["dma.superseded"] != 1 {
			t.Errorf("events: %v", told)
		}
	})
}

// TestPublicBody_AFileIsRefusedWhereItIsWrong: by element and line in both languages; what is too
// long as it arrives; nothing of it is kept.
func TestPublicBody_AFileIsRefusedWhereItIsWrong(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token, position := w.publicBody()
		var seeded client.DmaSubmissionList
		w.do(http.MethodGet, position+"/dma-submissions", token, nil).want(t, http.StatusOK, "").decode(t, &seeded)
		file := string(w.do(http.MethodGet, seeded.Items[0].Links.Xml.Href, token, nil).want(t, http.StatusOK, "").body)
		file = strings.ReplaceAll(file, seeded.Items[0].Period, "2025-05")
		file = strings.Replace(strings.Replace(file, ">2025-05-31<", ">2025-05-28<", 1), ">2025-05-30<", ">2025-05-28<", 1)
		before := w.rows("protocol_entries", "1 = 1")
		send := func(file string, headers ...header) answer {
			return w.do(http.MethodPost, position+"/dma-submissions", token, file, append([]header{key(), xmlType}, headers...)...)
		}
		for name, c := range map[string]struct{ from, to, want string }{
			"check letter":    {"BNCLRA75D52F205V", "BNCLRA75D52F205W", `"line":20,"pointer":"/DenunceMensili/Azienda/ListaPosPA/PosPA/D0_DenunciaIndividuale[1]/CFLavoratore"`},
			"another body":    {"<CFAzienda>" + comuneTaxCode, "<CFAzienda>" + valdarnoTaxCode, `"code":"other-body","detail":"The list is another body's`},
			"a document type": {"<DenunceMensili>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><DenunceMensili>", `"line":2,"pointer":"/"`},
			"an entity":       {"<Nome>Lara", "<Nome>&lara;", `"code":"syntax"`},
			"cut":             {"</PosPA>", "", `"code":"syntax"`},
		} {
			changed := strings.Replace(file, c.from, c.to, 1)
			a := send(changed, header{"Accept-Language", "en"}).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if changed == file || !bytes.Contains(a.body, []byte(c.want)) {
				t.Errorf("%s: %s", name, a.body)
			}
		}
		for _, text := range naughty {
			escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
			if a := send(strings.Replace(file, "<Cognome>Bianchi", "<Cognome>"+escaped, 1)); a.status >= http.StatusInternalServerError {
				t.Errorf("%.40q answered %d %s", text, a.status, a.body)
			}
		}
		after := w.rows("protocol_entries", "1 = 1") - w.rows("dma_submissions", "period = '2025-05'")
		if after != before {
			t.Errorf("%d numbers, before %d", after, before)
		}

		request, err := http.NewRequest(http.MethodPost, w.url+position+"/dma-submissions", io.LimitReader(endless{}, 200<<20)) //nolint:noctx // a test
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/xml")
		request.Header.Set("Idempotency-Key", "too-long-file")
		response, err := w.http.Do(request)
		if err != nil {
			// The server has answered and hung up before all was sent.
			return
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("200 MB answered %d", response.StatusCode)
		}
	})
}

// endless is a file without end.
type endless struct{}

// Read implements io.Reader.
func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestPublicBody_OnlyWithTheService: each section needs its own.
func TestPublicBody_OnlyWithTheService(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		_, position := w.publicBody()
		body := w.person(func(p client.SandboxPerson) bool { return p.Key == "public-body-delegate" }).ContributorIds[0]
		viewer := w.createPerson(map[string]any{"roles": []map[string]any{
			{"contributor_id": body, "role": "employee_delegate", "services": []string{"view_payments"}},
		}})
		token := w.loginAs(viewer).AccessToken
		w.do(http.MethodGet, position+"/payments", token, nil).want(t, http.StatusOK, "")
		for _, section := range []string{"/debit-notes", "/amortisation-plans", "/dma-submissions"} {
			w.do(http.MethodGet, position+section, token, nil).want(t, http.StatusForbidden, "service-not-delegated")
		}
		w.do(http.MethodPost, position+"/dma-submissions", token, dmaList("2026-01"), key()).want(t, http.StatusForbidden, "service-not-delegated")
		summary := w.do(http.MethodGet, position+"/summary", token, nil).want(t, http.StatusOK, "")
		if summary.field("last_dma") != nil || summary.field("declarations") != nil || summary.field("last_payment") == nil {
			t.Errorf("summary: %s", summary.body)
		}
	})
}
