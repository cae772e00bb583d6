package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/dossier/publicbody"
	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// PublicBodyHandlers has the operations of the section Public bodies.
type PublicBodyHandlers struct{ PublicBodies *publicbody.Service }

const (
	positionsPath = "/positions"
	dmaPath       = "/dma-submissions"
)

// ListPayments implements api.StrictServerInterface.
func (h PublicBodyHandlers) ListPayments(ctx context.Context, r api.ListPaymentsRequestObject) (api.ListPaymentsResponseObject, error) {
	from, to := dateText(r.Params.From), dateText(r.Params.To)
	found, err := h.PublicBodies.Records(
		ctx, r.PositionId, publicbody.Payment, from, to, pageRequest(ctx, r.Params.Limit, r.Params.Cursor),
	)
	if err != nil {
		return nil, err
	}
	return api.ListPayments200JSONResponse(pageOf(ctx, items(found.Items, func(p publicbody.Record) api.Payment {
		return api.Payment{
			PaymentId: p.ID, Reference: p.Reference, Date: viewDate(p.Date), Amount: twoDecimals(p.Amount),
			Currency:    api.Currency(p.Currency),
			Description: p.Description,
		}
	}), idPath(positionsPath, r.PositionId)+"/payments", days(from, to), found.Next, r.Params.Limit)), nil
}

// ListDebitNotes implements api.StrictServerInterface.
func (h PublicBodyHandlers) ListDebitNotes(
	ctx context.Context, r api.ListDebitNotesRequestObject,
) (api.ListDebitNotesResponseObject, error) {
	from, to := dateText(r.Params.From), dateText(r.Params.To)
	found, err := h.PublicBodies.Records(
		ctx, r.PositionId, publicbody.DebitNote, from, to, pageRequest(ctx, r.Params.Limit, r.Params.Cursor),
	)
	if err != nil {
		return nil, err
	}
	return api.ListDebitNotes200JSONResponse(pageOf(ctx, items(found.Items, func(n publicbody.Record) api.DebitNote {
		return api.DebitNote{
			DebitNoteId: n.ID, Reference: n.Reference, Date: viewDate(n.Date), Amount: twoDecimals(n.Amount),
			Currency: api.Currency(n.Currency), Description: n.Description,
		}
	}), idPath(positionsPath, r.PositionId)+"/debit-notes", days(from, to), found.Next, r.Params.Limit)), nil
}

// ListAmortisationPlans implements api.StrictServerInterface.
func (h PublicBodyHandlers) ListAmortisationPlans(
	ctx context.Context, r api.ListAmortisationPlansRequestObject,
) (api.ListAmortisationPlansResponseObject, error) {
	from, to := dateText(r.Params.From), dateText(r.Params.To)
	found, err := h.PublicBodies.Records(
		ctx, r.PositionId, publicbody.AmortisationPlan, from, to, pageRequest(ctx, r.Params.Limit, r.Params.Cursor),
	)
	if err != nil {
		return nil, err
	}
	return api.ListAmortisationPlans200JSONResponse(pageOf(
		ctx, items(found.Items, viewPlan), idPath(positionsPath, r.PositionId)+"/amortisation-plans", days(from, to), found.Next,
		r.Params.Limit,
	)), nil
}

func viewPlan(p publicbody.Record) api.AmortisationPlan {
	view := api.AmortisationPlan{
		PlanId: p.ID, Reference: p.Reference, Date: viewDate(p.Date), Amount: twoDecimals(p.Amount), Currency: api.Currency(p.Currency),
		Description: p.Description,
	}
	if p.Instalments == nil && p.InstalmentsPaid == nil && p.InstalmentAmount == nil && p.EndsOn == nil {
		return view
	}
	view.Instalments = &api.PlanInstalments{Total: number32(p.Instalments), Paid: number32(p.InstalmentsPaid)}
	if p.InstalmentAmount != nil {
		view.Instalments.Amount = new(twoDecimals(*p.InstalmentAmount))
	}
	if p.EndsOn != nil {
		view.Instalments.EndsOn = new(viewDate(*p.EndsOn))
	}
	return view
}

func number32(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n)) //nolint:gosec // four digits
}

// twoDecimals writes an amount of a register, which has up to two decimals, as the API does.
func twoDecimals(amount string) string {
	whole, decimals, _ := strings.Cut(amount, ".")
	return whole + "." + (decimals + "00")[:2]
}

// FileDmaSubmission implements api.StrictServerInterface: a list as JSON or as XML.
func (h PublicBodyHandlers) FileDmaSubmission(
	ctx context.Context, r api.FileDmaSubmissionRequestObject,
) (api.FileDmaSubmissionResponseObject, error) {
	by := reqctx.ActorOf(ctx)
	var filed publicbody.View
	var err error
	if raw := reqctx.RawOf(ctx); raw != nil {
		filed, err = h.PublicBodies.FileXML(ctx, by, r.PositionId, r.Params.SupersedesId, raw.Upload)
	} else {
		if r.Params.SupersedesId != nil {
			// What is compiled by hand says so itself.
			return nil, fault.InvalidFields(fault.Field{In: fault.InParameter, Pointer: "supersedes_id", Code: fault.FieldNotApplicable})
		}
		list, recoded := listOf(r.JSONBody)
		if recoded != nil {
			return nil, recoded
		}
		filed, err = h.PublicBodies.FileCompiled(ctx, by, r.PositionId, r.JSONBody.SupersedesId, list)
	}
	if err != nil {
		return nil, err
	}
	return api.FileDmaSubmission201JSONResponse{
		Body:    viewDma(filed),
		Headers: api.FileDmaSubmission201ResponseHeaders{Location: reqctx.BasePath + idPath(dmaPath, filed.ID)},
	}, nil
}

// listOf makes the domain's list of the contract's: both have the same names.
func listOf(in *api.DmaInput) (list dma.List, err error) {
	text, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	return list, err
}

// ListDmaSubmissions implements api.StrictServerInterface.
func (h PublicBodyHandlers) ListDmaSubmissions(
	ctx context.Context, r api.ListDmaSubmissionsRequestObject,
) (api.ListDmaSubmissionsResponseObject, error) {
	p := r.Params
	found, err := h.PublicBodies.OfPosition(ctx, r.PositionId, publicbody.Filter{
		PeriodFrom: value(p.PeriodFrom), PeriodTo: value(p.PeriodTo), State: publicbody.State(value(p.State)),
	}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListDmaSubmissions200JSONResponse(pageOf(
		ctx, items(found.Items, viewDma), idPath(positionsPath, r.PositionId)+dmaPath,
		queryOf(map[string]*string{"period_from": p.PeriodFrom, "period_to": p.PeriodTo, "state": (*string)(p.State)}), found.Next, p.Limit,
	)), nil
}

// ShowDmaSubmission implements api.StrictServerInterface.
func (h PublicBodyHandlers) ShowDmaSubmission(
	ctx context.Context, r api.ShowDmaSubmissionRequestObject,
) (api.ShowDmaSubmissionResponseObject, error) {
	found, err := h.PublicBodies.Show(ctx, reqctx.ActorOf(ctx), r.DmaId)
	if err != nil {
		return nil, err
	}
	view := viewDma(found)
	if found.Form == publicbody.Compiled {
		list, err := h.PublicBodies.Content(ctx, found)
		if err != nil {
			return nil, err
		}
		// The domain's names are the contract's.
		if view.Content, err = json.Marshal(list); err != nil {
			return nil, err
		}
	}
	return api.ShowDmaSubmission200JSONResponse(view), nil
}

// DownloadDmaSubmission implements api.StrictServerInterface: the file, or a part of it.
func (h PublicBodyHandlers) DownloadDmaSubmission(
	ctx context.Context, r api.DownloadDmaSubmissionRequestObject,
) (api.DownloadDmaSubmissionResponseObject, error) {
	found, err := h.PublicBodies.Show(ctx, reqctx.ActorOf(ctx), r.DmaId)
	if err != nil {
		return nil, err
	}
	content, err := h.PublicBodies.File(ctx, found)
	if err != nil {
		return nil, err
	}
	return download{
		answer:  reqctx.AnswerOf(ctx),
		content: content, size: found.Size, tag: `"` + strings.TrimPrefix(found.Digest, "sha-256:") + `"`, wanted: value(r.Params.Range),
		ifTag: value(r.Params.IfRange), mediaType: publicbody.MediaType,
		disposition: attachment.Disposition("dma-" + found.Period + "-" + found.ID.String() + ".xml"),
	}, nil
}

// VisitDownloadDmaSubmissionResponse implements api.DownloadDmaSubmissionResponseObject.
func (d download) VisitDownloadDmaSubmissionResponse(w http.ResponseWriter) error { return d.send(w) }

func viewDma(v publicbody.View) api.DmaSubmission {
	path := idPath(dmaPath, v.ID)
	t := v.Totals
	number := func(n int) int32 { return int32(n) } //nolint:gosec // fewer than the file has bytes
	view := api.DmaSubmission{
		DmaId: v.ID, ContributorId: v.ContributorID, PositionId: v.PositionID, Period: v.Period, VariationsOnly: v.VariationsOnly,
		Form: api.DmaForm(v.Form), State: api.DmaState(v.State), ProtocolNumber: v.ProtocolNumber, SubmittedAt: v.SubmittedAt,
		UpdatedAt: v.UpdatedAt, Digest: v.Digest, Size: v.Size, SupersedesId: v.SupersedesID,
		Totals: api.DmaTotals{
			Workers: number(t.Workers), Periods: number(t.Periods), Variations: number(t.Variations),
			PensionTaxable: t.PensionTaxable.String(), PensionContribution: t.PensionContribution.String(),
			SeveranceTaxable: t.SeveranceTaxable.String(), SeveranceContribution: t.SeveranceContribution.String(),
			CreditTaxable: t.CreditTaxable.String(), CreditContribution: t.CreditContribution.String(),
			Currency: api.Currency(money.Currency),
		},
		FiledBy: api.FiledBy{
			PersonId: v.PersonID, GivenName: v.GivenName, FamilyName: v.FamilyName, ActingAs: api.ActingAs(v.ActingAs), RightId: v.RightID,
			ClientId: unlessEmpty(v.ClientID),
		},
		LapsesAt: v.LapsesAt(),
		Links:    api.DmaLinks{Self: link(path, ""), Xml: link(path+"/xml", "")},
	}
	if v.SupersedesID != nil {
		view.Links.Supersedes = new(link(idPath(dmaPath, *v.SupersedesID), ""))
	}
	return view
}

// ShowPositionSummary implements api.StrictServerInterface.
func (h PublicBodyHandlers) ShowPositionSummary(
	ctx context.Context, r api.ShowPositionSummaryRequestObject,
) (api.ShowPositionSummaryResponseObject, error) {
	s, err := h.PublicBodies.Summarise(ctx, reqctx.ActorOf(ctx), r.PositionId)
	if err != nil {
		return nil, err
	}
	view := api.PositionSummary{
		PositionId: s.ID, Number: s.Number, Scheme: s.Scheme, OfficeCode: s.OfficeCode, OfficeTitle: s.OfficeTitle,
		State: api.PositionState(s.State), ContributorId: s.ContributorID, TaxCode: s.TaxCode.Clear(), LegalName: s.LegalName,
		Kind: api.ContributorKind(s.Kind), Delegations: number32(s.Delegations), OpenTickets: number32(s.OpenTickets),
		Links: api.SelfLinks{Self: link(idPath(positionsPath, r.PositionId)+"/summary", "")},
	}
	if s.Declarations != nil {
		counts := items(s.Declarations, func(c publicbody.StateCount) api.StateCount {
			return api.StateCount{State: api.DeclarationState(c.State), Count: int32(c.Number)} //nolint:gosec // fewer than protocol numbers
		})
		view.Declarations = (*[]api.StateCount)(&counts)
	}
	if p := s.LastPayment; p != nil {
		view.LastPayment = &api.PositionPayment{Date: viewDate(p.Date), Amount: twoDecimals(p.Amount), Currency: api.Currency(p.Currency)}
	}
	if d := s.LastSubmission; d != nil {
		view.LastDma = &api.PositionDma{DmaId: d.ID, Period: d.Period, State: api.DmaState(d.State), SubmittedAt: d.SubmittedAt}
	}
	return api.ShowPositionSummary200JSONResponse(view), nil
}

func days(from, to string) string {
	return queryOf(map[string]*string{"from": unlessEmpty(from), "to": unlessEmpty(to)})
}

// dateText writes a day of a query as the register has it.
func dateText(d *openapi_types.Date) string {
	if d == nil {
		return ""
	}
	return d.String()
}
