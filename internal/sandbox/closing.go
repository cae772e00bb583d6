package sandbox

import (
	"context"
	"time"

	"diresco/internal/masterdata/servicecatalog"
)

// A service of the sandbox has a second channel, which closes some time after the data were made.
// So testers see one close.
const (
	closingService = "declarations"
	closingChannel = "web"
	closesAfter    = 30 * 24 * time.Hour
)

func (s *Service) plantClosingChannel(ctx context.Context) error {
	closes := s.clock.Now().Add(closesAfter)
	return s.services.AddChannel(ctx, closingService, servicecatalog.Channel{Channel: closingChannel, ClosesAt: &closes, Href: "/docs"})
}
