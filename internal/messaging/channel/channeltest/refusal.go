package channeltest

import (
	"errors"

	"diresco/internal/messaging/channel"
)

// Refusal returns the refusal that err is, or nil.
func Refusal(err error) *channel.Refused {
	var refused *channel.Refused
	errors.As(err, &refused)
	return refused
}
