package sandbox

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/survey"
)

// seedSurvey is the id of the survey that is open from the beginning; it stays the same from sandbox
// to sandbox.
var seedSurvey = uuid.MustParse("019d0000-0000-7000-8000-00000000005a")

// surveyDays is how many days the survey was open before the sandbox began, and is after that.
const surveyDays = 60

// plantSurvey makes a survey of professional users that six have answered.
func (s *Service) plantSurvey(ctx context.Context) error {
	now := s.clock.Now()
	_, err := s.surveys.Add(ctx, seedSurvey, survey.Input{
		Title:   survey.Text{IT: "Come ti trovi con i servizi online?", EN: "How do you find the online services?"},
		OpensAt: now.Add(-surveyDays * 24 * time.Hour), ClosesAt: now.Add(surveyDays * 24 * time.Hour),
		Questions: []survey.Question{
			{Code: "overall", Text: survey.Text{
				IT: "Quanto sei soddisfatto dei servizi online?", EN: "How satisfied are you with the online services?",
			}},
			{
				Code: "channel", Text: survey.Text{IT: "Quale canale usi di più?", EN: "Which channel do you use most?"},
				Options: []survey.Option{
					{Code: "software", Text: survey.Text{IT: "Il mio software gestionale", EN: "My own software"}},
					{Code: "website", Text: survey.Text{IT: "Il sito", EN: "The website"}},
					{Code: "office", Text: survey.Text{IT: "La sede", EN: "The office"}},
				},
			},
		},
	})
	if err != nil {
		return err
	}
	return s.repo.countAnswers(ctx, seedSurvey, "[[0,0,1,4,1],[4,1,1]]", "[[0,0,1,3,1],[3,1,1]]")
}

// countAnswers sets what a survey was answered, and what of it may be shown.
func (r repository) countAnswers(ctx context.Context, id uuid.UUID, counts, shown string) error {
	return r.db.From(ctx).Exec("UPDATE surveys SET counts = ?, shown = ? WHERE id = ?", counts, shown, id).Error
}
