// Command clients files a declaration with the client that ogen makes of the contract.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"clients/oas"
)

// session is the security source: a session's token, or none before there is one.
type session struct{ token string }

// Bearer implements oas.SecuritySource.
func (s *session) Bearer(context.Context, oas.OperationName) (oas.Bearer, error) {
	return oas.Bearer{Token: s.token}, nil
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var by session
	c, err := oas.NewClient(os.Getenv("API"), &by)
	if err != nil {
		return err
	}
	people, err := c.ListSandboxPeople(ctx, oas.ListSandboxPeopleParams{Limit: oas.NewOptInt32(1)})
	if err != nil {
		return err
	}
	person := people.Items[0]
	credentials := oas.SessionStart{TaxCode: string(person.TaxCode), Pin: oas.EnteredPin(person.Pin)}
	begun, err := c.StartSession(ctx, &credentials, oas.StartSessionParams{})
	if err != nil {
		return err
	}
	by.token = begun.Response.AccessToken
	contributors, err := c.ListContributors(ctx, oas.ListContributorsParams{})
	if err != nil {
		return err
	}
	contributor := contributors.Items[0].ContributorID
	positions, err := c.ListPositions(ctx, oas.ListPositionsParams{ContributorID: contributor})
	if err != nil {
		return err
	}
	position := positions.Items[0].PositionID
	if err := hasTypes(ctx, c); err != nil {
		return err
	}
	kind, err := c.ShowDeclarationType(ctx, oas.ShowDeclarationTypeParams{Code: "RIOC"})
	if err != nil {
		return err
	}
	draft, err := c.DraftDeclaration(ctx, &oas.DeclarationDraft{
		Type: "RIOC", PositionID: position, Content: oas.DeclarationDraftContent{},
	}, oas.DraftDeclarationParams{ContributorID: contributor, IdempotencyKey: key()})
	if err != nil {
		return err
	}
	id := draft.Response.DeclarationID
	_, err = c.SubmitDeclaration(ctx, oas.SubmitDeclarationParams{DeclarationID: id, IdempotencyKey: key()})
	var refused *oas.RefusedStatusCode
	if !errors.As(err, &refused) || refused.Response.Code != oas.ProblemCodeValidationFailed {
		return fmt.Errorf("what is not complete was not refused: %w", err)
	}
	content := oas.NewOptDeclarationChangeContent(oas.DeclarationChangeContent(kind.Response.ContentExample))
	changed := oas.DeclarationChange{Content: content}
	if _, err := c.ChangeDeclaration(ctx, &changed, oas.ChangeDeclarationParams{
		DeclarationID: id, IfMatch: oas.NewOptString(string(draft.ETag)),
	}); err != nil {
		return err
	}
	filed, err := c.SubmitDeclaration(ctx, oas.SubmitDeclarationParams{DeclarationID: id, IdempotencyKey: key()})
	if err != nil {
		return err
	}
	pdf, err := c.DownloadReceiptPdf(ctx, oas.DownloadReceiptPdfParams{DeclarationID: id})
	if err != nil {
		return err
	}
	page, err := io.ReadAll(pdf.Response)
	if err != nil || !bytes.HasPrefix(page, []byte("%PDF-")) {
		return fmt.Errorf("the receipt is no PDF: %w", err)
	}
	fmt.Println("filed", filed.Response.ProtocolNumber.Value)
	return nil
}

// hasTypes pages through the catalogue by its cursor.
func hasTypes(ctx context.Context, c *oas.Client) error {
	var codes []oas.DeclarationTypeCode
	params := oas.ListDeclarationTypesParams{Limit: oas.NewOptInt32(1)}
	for {
		page, err := c.ListDeclarationTypes(ctx, params)
		if err != nil {
			return err
		}
		for _, t := range page.Items {
			codes = append(codes, t.Code)
		}
		if !page.NextCursor.Set {
			break
		}
		params.Cursor = oas.NewOptString(string(page.NextCursor.Value))
	}
	if len(codes) < 2 || !slices.Contains(codes, "RIOC") {
		return fmt.Errorf("types %q", codes)
	}
	return nil
}

func key() oas.IdempotencyKeyValue {
	return oas.IdempotencyKeyValue(fmt.Sprintf("clients-%d", time.Now().UnixNano()))
}
