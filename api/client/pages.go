package client

import (
	"context"
	"iter"
	"net/http"
)

// All goes through the items of a list, page by page, and asks for a page only when it is reached.
// Fetch gets a page by the cursor of the one before; nil for the first. An error ends it.
func All[T any](fetch func(cursor *string) (items []T, next *string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var cursor *string
		for {
			items, next, err := fetch(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			cursor = next
		}
	}
}

// AllContributors goes through those for whom the caller may act.
func (a *API) AllContributors(ctx context.Context, params ListContributorsParams) iter.Seq2[Contributor, error] {
	return All(func(cursor *string) ([]Contributor, *string, error) {
		page := params
		if cursor != nil {
			page.Cursor = cursor
		}
		answer, err := a.ListContributorsWithResponse(ctx, &page)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, noPage(answer.HTTPResponse)
		}
		return answer.JSON200.Items, answer.JSON200.NextCursor, nil
	})
}

// AllPositions goes through the positions of a contributor.
func (a *API) AllPositions(ctx context.Context, contributor ContributorId, params ListPositionsParams) iter.Seq2[Position, error] {
	return All(func(cursor *string) ([]Position, *string, error) {
		page := params
		if cursor != nil {
			page.Cursor = cursor
		}
		answer, err := a.ListPositionsWithResponse(ctx, contributor, &page)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, noPage(answer.HTTPResponse)
		}
		return answer.JSON200.Items, answer.JSON200.NextCursor, nil
	})
}

// AllDeclarations goes through what was filed for a contributor, the newest first.
func (a *API) AllDeclarations(
	ctx context.Context, contributor ContributorId, params ListDeclarationsParams,
) iter.Seq2[DeclarationSummary, error] {
	return All(func(cursor *string) ([]DeclarationSummary, *string, error) {
		page := params
		if cursor != nil {
			page.Cursor = cursor
		}
		answer, err := a.ListDeclarationsWithResponse(ctx, contributor, &page)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, noPage(answer.HTTPResponse)
		}
		return answer.JSON200.Items, answer.JSON200.NextCursor, nil
	})
}

// AllMyDeclarations goes through what was filed for all of an intermediary's clients.
func (a *API) AllMyDeclarations(ctx context.Context, params ListMyDeclarationsParams) iter.Seq2[DeclarationSummary, error] {
	return All(func(cursor *string) ([]DeclarationSummary, *string, error) {
		page := params
		if cursor != nil {
			page.Cursor = cursor
		}
		answer, err := a.ListMyDeclarationsWithResponse(ctx, &page)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, noPage(answer.HTTPResponse)
		}
		return answer.JSON200.Items, answer.JSON200.NextCursor, nil
	})
}

// noPage is the error of an answer that is a success, and no page of a list.
func noPage(answer *http.Response) error {
	return &AnswerError{Status: answer.StatusCode, ContentType: answer.Header.Get("Content-Type")}
}
