package notification

import (
	"embed"
	"fmt"
)

//go:embed testdata/*.json
var samples embed.FS

// Sample returns what a message of the kind could be made of, so that the words can be looked at.
// It is a JSON object with the message's secrets. No person is in it.
func Sample(kind string) (string, error) {
	content, err := samples.ReadFile("testdata/" + kind + ".json")
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrUnknownKind, kind)
	}
	return string(content), nil
}
