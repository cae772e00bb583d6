package declaration

import "diresco/internal/kernel/outbox"

// The kinds of messages to who filed a declaration.
var (
	receivedKind    = outbox.Declare(outbox.Kind{Name: "declaration.received", Mute: outbox.AboutDeclarations})
	awaitingKind    = outbox.Declare(outbox.Kind{Name: "declaration.awaiting_credentials", Mute: outbox.AboutDeclarations})
	completedKind   = outbox.Declare(outbox.Kind{Name: "declaration.completed", Mute: outbox.AboutDeclarations})
	lapsedKind      = outbox.Declare(outbox.Kind{Name: "declaration.lapsed", Mute: outbox.AboutDeclarations})
	acceptedKind    = outbox.Declare(outbox.Kind{Name: "declaration.accepted", Mute: outbox.AboutDeclarations})
	notAcceptedKind = outbox.Declare(outbox.Kind{Name: "declaration.not_accepted", Mute: outbox.AboutDeclarations})
	provisionalKind = outbox.Declare(outbox.Kind{Name: "declaration.provisionally_not_accepted", Mute: outbox.AboutDeclarations})
	confirmedKind   = outbox.Declare(outbox.Kind{Name: "declaration.confirmed", Mute: outbox.AboutDeclarations})
	fundLapsedKind  = outbox.Declare(outbox.Kind{Name: "declaration.fund_lapsed", Mute: outbox.AboutDeclarations})
	withdrawnKind   = outbox.Declare(outbox.Kind{Name: "declaration.withdrawn", Mute: outbox.AboutDeclarations})
)
