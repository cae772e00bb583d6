package webhook

import "diresco/internal/kernel/outbox"

// DisabledKind tells who manages an application that a webhook was disabled, by its endpoint's doing:
// {display_name, host, reason, at}. The reason is DisabledGone or DisabledFailing.
var DisabledKind = outbox.Declare(outbox.Kind{Name: "webhook.disabled"})
