package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/filing/fund"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// FundHandlers has the operations on funds of the section Back office.
type FundHandlers struct{ Funds *fund.Service }

// ListFunds implements api.StrictServerInterface.
func (h FundHandlers) ListFunds(ctx context.Context, r api.ListFundsRequestObject) (api.ListFundsResponseObject, error) {
	found, err := h.Funds.Funds(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListFunds200JSONResponse(pageOf(ctx, items(found.Items, viewFund), "/backoffice/funds", "", found.Next, r.Params.Limit)), nil
}

// ShowFund implements api.StrictServerInterface.
func (h FundHandlers) ShowFund(ctx context.Context, r api.ShowFundRequestObject) (api.ShowFundResponseObject, error) {
	f, err := h.Funds.Show(ctx, r.FundCode)
	if err != nil {
		return nil, err
	}
	return api.ShowFund200JSONResponse{Body: viewFund(f), Headers: api.ShowFund200ResponseHeaders{ETag: fundTag(f)}}, nil
}

// ReplaceFund implements api.StrictServerInterface.
func (h FundHandlers) ReplaceFund(ctx context.Context, r api.ReplaceFundRequestObject) (api.ReplaceFundResponseObject, error) {
	budget, err := money.Parse(r.Body.Budget)
	if err != nil {
		return nil, fault.InvalidFields(fault.Field{Pointer: "/budget", Code: fault.FieldPattern})
	}
	by, in := reqctx.ActorOf(ctx), fund.Replacement{Budget: budget, Title: r.Body.Title}
	if r.Params.IfNoneMatch != nil {
		f, err := h.Funds.Create(ctx, by, r.FundCode, in)
		if err != nil {
			return nil, err
		}
		return api.ReplaceFund201JSONResponse{Body: viewFund(f), Headers: api.ReplaceFund201ResponseHeaders{
			ETag: fundTag(f), Location: reqctx.BasePath + "/backoffice/funds/" + f.Code,
		}}, nil
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		f, err := h.Funds.Show(ctx, r.FundCode)
		return f.Settings, err
	})
	if err != nil {
		return nil, err
	}
	f, err := h.Funds.Replace(ctx, by, r.FundCode, expected, in)
	if err != nil {
		return nil, err
	}
	return api.ReplaceFund200JSONResponse{Body: viewFund(f), Headers: api.ReplaceFund200ResponseHeaders{ETag: fundTag(f)}}, nil
}

// ListFundEntries implements api.StrictServerInterface: a page as JSON, or the whole ledger as CSV.
func (h FundHandlers) ListFundEntries(
	ctx context.Context, r api.ListFundEntriesRequestObject,
) (api.ListFundEntriesResponseObject, error) {
	if value(r.Params.Accept) == "text/csv" {
		next, err := h.Funds.Ledger(ctx, r.FundCode)
		if err != nil {
			return nil, err
		}
		return api.ListFundEntries200TextcsvResponse{Body: newLedgerCSV(next)}, nil
	}
	found, err := h.Funds.Entries(ctx, r.FundCode, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListFundEntries200JSONResponse(pageOf(
		ctx, items(found.Items, viewFundEntry), "/backoffice/funds/"+r.FundCode+"/entries", "", found.Next, r.Params.Limit,
	)), nil
}

// ListFundQueue implements api.StrictServerInterface.
func (h FundHandlers) ListFundQueue(ctx context.Context, r api.ListFundQueueRequestObject) (api.ListFundQueueResponseObject, error) {
	found, err := h.Funds.Queue(ctx, r.FundCode, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListFundQueue200JSONResponse(pageOf(
		ctx, items(found.Items, viewQueued), "/backoffice/funds/"+r.FundCode+"/queue", "", found.Next, r.Params.Limit,
	)), nil
}

// fundTag is for budget and title, and tells apart what is shown beside them.
func fundTag(f fund.Fund) string { return etag.Shown(f.Settings, f.Shown()) }

func viewFund(f fund.Fund) api.Fund {
	return api.Fund{
		FundCode: f.Code, Title: f.Title, Budget: f.Budget.String(), Reserved: f.Reserved.String(), Spent: f.Spent.String(),
		Available: f.Available().String(), Currency: money.Currency,
		Waiting: int32(f.Waiting), //nolint:gosec // as many as ranks
	}
}

func viewFundEntry(e fund.Entry) api.FundEntry {
	return api.FundEntry{
		Number: int32(e.Number), //nolint:gosec // an integer of the database
		At:     e.At, Kind: api.FundEntryKind(e.Kind), DeclarationId: e.SubjectID, Amount: e.Amount.String(),
		Budget: e.Budget.String(), Reserved: e.Reserved.String(), Spent: e.Spent.String(), Available: e.Available().String(),
		Currency: money.Currency, PersonId: e.PersonID,
	}
}

func viewQueued(q fund.Queued) api.FundQueueEntry {
	view := api.FundQueueEntry{
		Rank:          int32(q.Rank), //nolint:gosec // an integer of the database
		DeclarationId: q.SubjectID, ProtocolNumber: q.ProtocolNumber, State: api.FundQueueEntryState(q.State),
		Amount: q.Amount.String(), Currency: money.Currency, WaitingSince: q.FiledAt, WaitingUntil: q.EndsAt,
	}
	if day, err := time.Parse(time.DateOnly, q.PriorityDate); err == nil && q.PriorityDate != fund.LastPriority {
		view.PriorityDate = &types.Date{Time: day}
	}
	return view
}

// ledgerCSV writes a ledger as it is read.
type ledgerCSV struct {
	next   func() ([]fund.Entry, error)
	buffer bytes.Buffer
	done   bool
}

func newLedgerCSV(next func() ([]fund.Entry, error)) *ledgerCSV {
	l := &ledgerCSV{next: next}
	l.buffer.WriteString("number;at;kind;declaration_id;amount;budget;reserved;spent;available;currency;person_id\n")
	return l
}

// Read implements io.Reader.
func (l *ledgerCSV) Read(p []byte) (int, error) {
	if l.buffer.Len() == 0 && !l.done {
		if err := l.fill(); err != nil {
			return 0, err
		}
	}
	if l.buffer.Len() == 0 {
		return 0, io.EOF
	}
	return l.buffer.Read(p)
}

func (l *ledgerCSV) fill() error {
	entries, err := l.next()
	if err != nil {
		return err
	}
	l.done = len(entries) == 0
	w := csv.NewWriter(&l.buffer)
	w.Comma = ';'
	for _, e := range entries {
		subject, person := "", ""
		if e.SubjectID != nil {
			subject = e.SubjectID.String()
		}
		if e.PersonID != nil {
			person = e.PersonID.String()
		}
		if err := w.Write([]string{
			strconv.Itoa(e.Number), e.At.Format(time.RFC3339Nano), string(e.Kind), subject, e.Amount.String(), e.Budget.String(),
			e.Reserved.String(), e.Spent.String(), e.Available().String(), money.Currency, person,
		}); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
