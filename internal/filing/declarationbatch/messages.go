package declarationbatch

import "diresco/internal/kernel/outbox"

// doneKind tells who sent a batch what became of it, once for all its items.
var doneKind = outbox.Declare(outbox.Kind{Name: "declaration.batch_done", Mute: outbox.AboutDeclarations})
