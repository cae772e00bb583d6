package handlers

import (
	"bytes"
	"context"

	"diresco/api"
	"diresco/internal/dossier/survey"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/clock"
)

// SurveyHandlers has the operations of the section Surveys.
type SurveyHandlers struct{ Surveys *survey.Service }

// OfficeSurveyHandlers has the operations on surveys of the section Back office.
type OfficeSurveyHandlers struct{ OfficeSurveys *survey.Service }

const officeSurveysPath = "/backoffice/surveys"

// ShowSurvey implements api.StrictServerInterface.
func (h SurveyHandlers) ShowSurvey(ctx context.Context, _ api.ShowSurveyRequestObject) (api.ShowSurveyResponseObject, error) {
	s, answered, err := h.Surveys.Current(ctx, reqctx.ActorOf(ctx))
	if err != nil {
		return nil, err
	}
	english := inEnglish(ctx)
	return api.ShowSurvey200JSONResponse{
		SurveyId: s.ID, Title: s.Title.In(english), OpensAt: clock.Normal(s.OpensAt), ClosesAt: clock.Normal(s.ClosesAt),
		Answered: answered,
		Questions: items(s.Questions, func(q survey.Question) api.SurveyQuestion {
			view := api.SurveyQuestion{QuestionId: q.Code, Text: q.Text.In(english)}
			if len(q.Options) > 0 {
				view.Options = new([]api.SurveyOption(items(q.Options, func(o survey.Option) api.SurveyOption {
					return api.SurveyOption{Option: o.Code, Text: o.Text.In(english)}
				})))
			}
			return view
		}),
		Links: api.SurveyLinks{Self: link("/surveys/current", ""), Answers: link(idPath("/surveys", s.ID)+"/answers", "")},
	}, nil
}

// AnswerSurvey implements api.StrictServerInterface.
func (h SurveyHandlers) AnswerSurvey(ctx context.Context, r api.AnswerSurveyRequestObject) (api.AnswerSurveyResponseObject, error) {
	answers := items(r.Body.Answers, func(a api.SurveyAnswer) survey.Answer {
		answer := survey.Answer{Question: a.QuestionId, Option: a.Option}
		if a.Value != nil {
			answer.Value = new(int(*a.Value))
		}
		return answer
	})
	if err := h.Surveys.Answer(ctx, reqctx.ActorOf(ctx), r.SurveyId, answers); err != nil {
		return nil, err
	}
	return api.AnswerSurvey204Response{}, nil
}

// ListSurveys implements api.StrictServerInterface.
func (h OfficeSurveyHandlers) ListSurveys(ctx context.Context, r api.ListSurveysRequestObject) (api.ListSurveysResponseObject, error) {
	found, err := h.OfficeSurveys.List(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListSurveys200JSONResponse(pageOf(ctx, items(found.Items, h.view), officeSurveysPath, "", found.Next, r.Params.Limit)), nil
}

// PublishSurvey implements api.StrictServerInterface.
func (h OfficeSurveyHandlers) PublishSurvey(ctx context.Context, r api.PublishSurveyRequestObject) (api.PublishSurveyResponseObject,
	error,
) {
	words := func(t api.SurveyText) survey.Text { return survey.Text{IT: t.It, EN: t.En} }
	s, err := h.OfficeSurveys.Publish(ctx, reqctx.ActorOf(ctx), survey.Input{
		Title: words(r.Body.Title), OpensAt: r.Body.OpensAt, ClosesAt: r.Body.ClosesAt,
		Questions: items(r.Body.Questions, func(q api.SurveyQuestionDocument) survey.Question {
			return survey.Question{
				Code: q.QuestionId, Text: words(q.Text), Options: items(value(q.Options), func(o api.SurveyOptionDocument) survey.Option {
					return survey.Option{Code: o.Option, Text: words(o.Text)}
				}),
			}
		}),
	})
	if err != nil {
		return nil, err
	}
	return api.PublishSurvey201JSONResponse{Body: h.view(s), Headers: api.PublishSurvey201ResponseHeaders{
		Location: reqctx.BasePath + idPath(officeSurveysPath, s.ID),
	}}, nil
}

// ShowOfficeSurvey implements api.StrictServerInterface.
func (h OfficeSurveyHandlers) ShowOfficeSurvey(
	ctx context.Context, r api.ShowOfficeSurveyRequestObject,
) (api.ShowOfficeSurveyResponseObject, error) {
	s, err := h.OfficeSurveys.Show(ctx, r.SurveyId)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficeSurvey200JSONResponse(h.view(s)), nil
}

// CloseSurvey implements api.StrictServerInterface.
func (h OfficeSurveyHandlers) CloseSurvey(ctx context.Context, r api.CloseSurveyRequestObject) (api.CloseSurveyResponseObject, error) {
	s, err := h.OfficeSurveys.Close(ctx, reqctx.ActorOf(ctx), r.SurveyId)
	if err != nil {
		return nil, err
	}
	return api.CloseSurvey200JSONResponse(h.view(s)), nil
}

// ShowSurveyResults implements api.StrictServerInterface.
func (h OfficeSurveyHandlers) ShowSurveyResults(
	ctx context.Context, r api.ShowSurveyResultsRequestObject,
) (api.ShowSurveyResultsResponseObject, error) {
	found, err := h.OfficeSurveys.Results(ctx, r.SurveyId)
	if err != nil {
		return nil, err
	}
	s, english, path := found.Survey, inEnglish(ctx), idPath(officeSurveysPath, r.SurveyId)+"/results"
	view := api.SurveyResults{
		SurveyId: s.ID, State: api.SurveyState(found.State), Title: s.Title.In(english), Participants: narrow(found.People()),
		Links: api.SurveyResultsLinks{Self: link(path, ""), Chart: link(path+"/chart", "")},
	}
	for i, q := range s.Questions {
		result := api.SurveyQuestionResult{QuestionId: q.Code, Text: q.Text.In(english)}
		for j, n := range found.Counts[i] {
			count := api.SurveyCount{Count: narrow(n)}
			if len(q.Options) > 0 {
				count.Option, count.Text = new(q.Options[j].Code), new(q.Options[j].Text.In(english))
			} else {
				count.Value = new(narrow(j + 1))
			}
			result.Counts = append(result.Counts, count)
		}
		view.Questions = append(view.Questions, result)
	}
	return api.ShowSurveyResults200JSONResponse(view), nil
}

// narrow makes a count the contract's: a survey has fewer people.
func narrow(n int) int32 { return int32(n) } //nolint:gosec // see above

// ShowSurveyChart implements api.StrictServerInterface.
func (h OfficeSurveyHandlers) ShowSurveyChart(
	ctx context.Context, r api.ShowSurveyChartRequestObject,
) (api.ShowSurveyChartResponseObject, error) {
	found, err := h.OfficeSurveys.Results(ctx, r.SurveyId)
	if err != nil {
		return nil, err
	}
	chart := found.Survey.Chart(found.Counts, inEnglish(ctx))
	return api.ShowSurveyChart200ImagesvgXmlResponse{Body: bytes.NewReader(chart), ContentLength: int64(len(chart))}, nil
}

func (h OfficeSurveyHandlers) view(s survey.Survey) api.OfficeSurvey {
	words := func(t survey.Text) api.SurveyText { return api.SurveyText{It: t.IT, En: t.EN} }
	path := idPath(officeSurveysPath, s.ID)
	view := api.OfficeSurvey{
		SurveyId: s.ID, State: api.SurveyState(h.OfficeSurveys.State(s)), Title: words(s.Title), OpensAt: clock.Normal(s.OpensAt),
		ClosesAt: clock.Normal(s.ClosesAt), PublishedAt: clock.Normal(s.PublishedAt),
		Questions: items(s.Questions, func(q survey.Question) api.SurveyQuestionDocument {
			shown := api.SurveyQuestionDocument{QuestionId: q.Code, Text: words(q.Text)}
			if len(q.Options) > 0 {
				shown.Options = new([]api.SurveyOptionDocument(items(q.Options, func(o survey.Option) api.SurveyOptionDocument {
					return api.SurveyOptionDocument{Option: o.Code, Text: words(o.Text)}
				})))
			}
			return shown
		}),
		Links: api.OfficeSurveyLinks{
			Self: link(path, ""), Results: link(path+"/results", ""), Chart: link(path+"/results/chart", ""),
		},
	}
	if s.ClosedAt != nil {
		view.ClosedAt = new(clock.Normal(*s.ClosedAt))
	}
	return view
}
