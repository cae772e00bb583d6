package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/reqctx"
)

// ShowDeclarationHistory implements api.StrictServerInterface.
func (h DeclarationHandlers) ShowDeclarationHistory(
	ctx context.Context, r api.ShowDeclarationHistoryRequestObject,
) (api.ShowDeclarationHistoryResponseObject, error) {
	found, err := h.Declarations.History(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
	if err != nil {
		return nil, err
	}
	d, path := found.Declaration, idPath("/declarations", r.DeclarationId)
	return api.ShowDeclarationHistory200JSONResponse{
		Items: items(found.Entries, viewEntry),
		Links: api.DeclarationHistoryLinks{
			Self: link(path+"/history", ""), Declaration: link(path, ""), Supersedes: linkTo(d.SupersedesID),
			SupersededBy: linkTo(d.SupersededByID), Reservation: linkTo(d.ReservationID), Confirmation: linkTo(found.ConfirmationID),
		},
	}, nil
}

func viewEntry(e declaration.HistoryEntry) api.DeclarationHistoryEntry {
	return api.DeclarationHistoryEntry{
		At: e.At, State: api.DeclarationState(e.State), By: viewAuthor(e.By),
		Amount: viewAmount(e.Amount), Currency: viewCurrency(e.Amount),
		Reasons: viewReasons(e.Reasons),
	}
}

func viewAuthor(a declaration.Author) api.DeclarationHistoryAuthor {
	view := api.DeclarationHistoryAuthor{Kind: api.DeclarationHistoryAuthorKindSystem}
	switch {
	case a.Office != "":
		view.Kind, view.OfficeCode = api.DeclarationHistoryAuthorKindOffice, &a.Office
	case a.PersonID != nil:
		view.Kind = api.DeclarationHistoryAuthorKindPerson
	}
	if a.PersonID != nil {
		view.Person = &api.PersonReference{PersonId: *a.PersonID, GivenName: a.GivenName, FamilyName: a.FamilyName}
	}
	view.ClientId = unlessEmpty(a.ClientID)
	if a.ActingAs != "" {
		view.ActingAs = new(api.ActingAs(a.ActingAs))
	}
	return view
}
