package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"diresco/api/client"
)

// largest is how many declarations a batch has at most.
const largest = 1000

// payroll files a month.
type payroll struct {
	api           *client.API
	out           io.Writer
	folder, csv   string
	filed, failed int
	forms         map[string]form
	contributors  map[client.Id]string
}

func newPayroll(api *client.API, s settings, out io.Writer) *payroll {
	return &payroll{
		api: api, out: out, folder: s.folder, csv: filepath.Base(s.csv), forms: map[string]form{}, contributors: map[client.Id]string{},
	}
}

// item is a line on its way.
type item struct {
	row
	client.DeclarationBatchItemInput
}

// file files all lines, each with the contributor whose position it names.
func (p *payroll) file(ctx context.Context, month []row) (failed int, err error) {
	positions := map[string]place{}
	byContributor := map[client.Id][]item{}
	var order []client.Id
	for _, r := range month {
		at, known := positions[r.position]
		if !known {
			if at, err = p.find(ctx, r.position); err != nil {
				return 0, err
			}
			positions[r.position] = at
		}
		if at.contributor == (client.Id{}) {
			p.refuse(r, "position %q is none for which you may act", r.position)
			continue
		}
		of, known, err := p.form(ctx, r.kind)
		if err != nil {
			return 0, err
		}
		if !known {
			p.refuse(r, "there is no declaration type %q", r.kind)
			continue
		}
		content, err := r.declared(of)
		if err != nil {
			return 0, err
		}
		if _, known := byContributor[at.contributor]; !known {
			order = append(order, at.contributor)
		}
		byContributor[at.contributor] = append(byContributor[at.contributor], item{r, client.DeclarationBatchItemInput{
			Reference: r.reference, Type: r.kind, PositionId: at.position, Content: content,
		}})
	}
	for _, contributor := range order {
		for items := byContributor[contributor]; len(items) > 0; items = items[min(largest, len(items)):] {
			if err := p.fileBatch(ctx, contributor, items[:min(largest, len(items))]); err != nil {
				return 0, err
			}
		}
	}
	fmt.Fprintf(p.out, "%d of %d filed; the receipts are in %s\n", p.filed, len(month), p.folder)
	return p.failed, nil
}

// refuse tells what is wrong with a line.
func (p *payroll) refuse(r row, format string, args ...any) {
	p.failed++
	fmt.Fprintf(p.out, "%s, line %d, %s: not filed\n    %s\n", p.csv, r.line, r.reference, fmt.Sprintf(format, args...))
}

// place is a position and whose it is.
type place struct{ contributor, position client.Id }

// find returns the position with a number, and nothing where the user may not act.
func (p *payroll) find(ctx context.Context, number string) (place, error) {
	for contributor, err := range p.api.AllContributors(ctx, client.ListContributorsParams{Q: &number}) {
		if codeOf(err) == client.ProblemCodeMalformedRequest {
			return place{}, nil // it is no number of a position at all
		}
		if err != nil {
			return place{}, err
		}
		p.contributors[contributor.ContributorId] = contributor.LegalName
		for position, err := range p.api.AllPositions(ctx, contributor.ContributorId, client.ListPositionsParams{}) {
			if err != nil {
				return place{}, err
			}
			if position.Number == number {
				return place{contributor.ContributorId, position.PositionId}, nil
			}
		}
	}
	return place{}, nil
}

// form returns what a declaration type asks for.
func (p *payroll) form(ctx context.Context, code string) (of form, known bool, err error) {
	if of, known = p.forms[code]; known {
		return of, true, nil
	}
	found, err := p.api.ShowDeclarationTypeWithResponse(ctx, code, nil)
	if code := codeOf(err); code == client.ProblemCodeNotFound || code == client.ProblemCodeMalformedRequest {
		return of, false, nil
	}
	if err != nil {
		return of, false, err
	}
	if err := json.Unmarshal(found.JSON200.ContentSchema, &of); err != nil {
		return of, false, err
	}
	p.forms[code] = of
	return of, true, nil
}

// codeOf says what kind of refusal an error is, if it is one.
func codeOf(err error) client.ProblemCode {
	var refused *client.Problem
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// fileBatch files the lines of one contributor, shows how far it is, and saves the receipts.
func (p *payroll) fileBatch(ctx context.Context, contributor client.Id, items []item) error {
	input := client.DeclarationBatchInput{}
	for _, i := range items {
		input.Items = append(input.Items, i.DeclarationBatchItemInput)
	}
	sent, err := p.api.FileDeclarationBatchWithResponse(ctx, contributor, &client.FileDeclarationBatchParams{}, input)
	if err != nil {
		return err
	}
	batch, err := p.await(ctx, sent.JSON202)
	if err != nil {
		return err
	}
	if batch.Counts.Filed > 0 {
		if err := p.saveBatch(ctx, batch.BatchId, items); err != nil {
			return err
		}
	}
	return p.report(ctx, batch.BatchId, items)
}

// await follows a batch until it is over.
func (p *payroll) await(ctx context.Context, batch *client.DeclarationBatch) (*client.DeclarationBatch, error) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for shown := int32(-1); ; {
		done := batch.ItemsTotal - batch.Counts.Pending
		if done != shown {
			fmt.Fprintf(p.out, "%s: %d of %d done\n", p.contributors[batch.ContributorId], done, batch.ItemsTotal)
			shown = done
		}
		if batch.FinishedAt != nil {
			return batch, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		next, err := p.api.ShowDeclarationBatchWithResponse(ctx, batch.BatchId, nil)
		if err != nil {
			return nil, err
		}
		batch = next.JSON200
	}
}

// report tells what became of each line that was not filed now.
func (p *payroll) report(ctx context.Context, batch client.Id, items []item) error {
	byReference := map[string]item{}
	for _, i := range items {
		byReference[i.row.reference] = i
	}
	for ended, err := range client.All(func(cursor *string) ([]client.DeclarationBatchItem, *string, error) {
		page, err := p.api.ListDeclarationBatchItemsWithResponse(ctx, batch, &client.ListDeclarationBatchItemsParams{Cursor: cursor})
		if err != nil {
			return nil, nil, err
		}
		return page.JSON200.Items, page.JSON200.NextCursor, nil
	}) {
		if err != nil {
			return err
		}
		r := byReference[ended.Reference].row
		switch {
		case ended.State == client.DeclarationBatchItemStateFiled:
			p.filed++
			fmt.Fprintf(p.out, "    %s  %s\n", ended.Reference, *ended.ProtocolNumber)
		case ended.Problem == nil:
			p.refuse(r, "%s", ended.State)
		case ended.Problem.Code == "duplicate" && ended.DeclarationId != nil:
			p.filed++
			fmt.Fprintf(p.out, "    %s  was filed before\n", ended.Reference)
			if err := p.saveOne(ctx, *ended.DeclarationId, ended.Reference); err != nil {
				return err
			}
		default:
			p.refuse(r, "%s", strings.Join(reasons(r, ended.Problem), "\n    "))
		}
	}
	return nil
}

// reasons are what is wrong with a line, by its columns.
func reasons(r row, problem *client.DeclarationBatchProblem) []string {
	if problem.Errors == nil || len(*problem.Errors) == 0 {
		return []string{problem.Detail}
	}
	var all []string
	for _, one := range *problem.Errors {
		text := one.Detail
		if one.Pointer != nil {
			column := strings.TrimPrefix(strings.TrimPrefix(*one.Pointer, "/content"), "/")
			text = fmt.Sprintf("%s %q: %s", column, r.content[column], one.Detail)
		}
		all = append(all, text)
	}
	return all
}

// saveBatch saves the receipts of all that was filed now, which come as one archive. Its files are
// called by the place in the batch.
func (p *payroll) saveBatch(ctx context.Context, batch client.Id, items []item) error {
	answer, err := p.api.DownloadDeclarationBatchReceipts(ctx, batch, nil, func(_ context.Context, r *http.Request) error {
		r.Header.Set("Accept", "application/zip")
		return nil
	})
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	whole, err := os.CreateTemp("", "receipts-*.zip")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(whole.Close(), os.Remove(whole.Name())) }()
	size, err := io.Copy(whole, answer.Body)
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(whole, size)
	if err != nil {
		return err
	}
	for _, entry := range archive.File {
		var line int
		if _, err := fmt.Sscanf(entry.Name, "%d-", &line); err != nil || line < 1 || line > len(items) {
			return fmt.Errorf("the archive has %q", entry.Name)
		}
		page, err := entry.Open()
		if err != nil {
			return err
		}
		err = p.save(items[line-1].row.reference, page)
		if err := errors.Join(err, page.Close()); err != nil {
			return err
		}
	}
	return nil
}

// saveOne saves the receipt of a declaration that was filed before, unless it is there.
func (p *payroll) saveOne(ctx context.Context, id client.Id, reference string) error {
	if _, err := os.Stat(p.path(reference)); err == nil {
		return nil
	}
	answer, err := p.api.DownloadReceiptPdf(ctx, id, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	return p.save(reference, answer.Body)
}

// path is where the receipt of a declaration is saved.
func (p *payroll) path(reference string) string { return filepath.Join(p.folder, fileName(reference)) }

// save writes a receipt, whole or not at all.
func (p *payroll) save(reference string, page io.Reader) error {
	path := p.path(reference)
	file, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, page)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
