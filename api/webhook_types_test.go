package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContract_WebhooksAreSentEveryTypeOfEvent: what the feed has, and the ping that it has not.
func TestContract_WebhooksAreSentEveryTypeOfEvent(t *testing.T) {
	schemas := contract(t).Components.Schemas
	want := append(append([]any{}, schemas["EventType"].Value.Enum...), "webhook.ping")
	if diff := cmp.Diff(want, schemas["WebhookEventType"].Value.Enum); diff != "" {
		t.Error(diff)
	}
}
