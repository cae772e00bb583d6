package translog

import (
	"context"
	"strings"

	"diresco/db"
)

// cosignature is the newest checkpoint that a witness cosigned: the log's, with the line of the
// witness behind it.
type cosignature struct {
	Witness    string
	Size       int64
	Checkpoint string
}

// TableName tells GORM the table.
func (cosignature) TableName() string { return "log_cosignatures" }

// cosignatures returns what witnesses cosigned last, the newest first.
func (r repository) cosignatures(ctx context.Context) ([]cosignature, error) {
	var found []cosignature
	return found, r.db.From(ctx).Raw("SELECT " + db.Columns[cosignature]("c") + " FROM log_cosignatures c ORDER BY c.size DESC, c.witness").
		Scan(&found).Error
}

// keepCosignature keeps what a witness cosigned, unless something newer is kept.
func (r repository) keepCosignature(ctx context.Context, c cosignature) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return db.InsertOver(ctx, r.db, []cosignature{c}, "ON CONFLICT (witness) DO UPDATE SET size = excluded.size, "+
			"checkpoint = excluded.checkpoint WHERE excluded.size >= log_cosignatures.size")
	})
}

// body is what a checkpoint says, without who signed it.
func body(checkpoint string) string {
	said, _, _ := strings.Cut(checkpoint, "\n\n")
	return said
}

// line is that of the witness.
func (c cosignature) line() string {
	return c.Checkpoint[strings.LastIndexByte(strings.TrimSuffix(c.Checkpoint, "\n"), '\n')+1:]
}

// linesFor returns the lines of the witnesses that cosigned what a checkpoint says.
func linesFor(signatures []cosignature, checkpoint string) string {
	var lines strings.Builder
	for _, c := range signatures {
		if body(c.Checkpoint) == body(checkpoint) {
			lines.WriteString(c.line())
		}
	}
	return lines.String()
}

// newestCosigned returns the newest checkpoint that was cosigned, with the lines of all that did.
func newestCosigned(signatures []cosignature) string {
	if len(signatures) == 0 {
		return ""
	}
	newest := strings.TrimSuffix(signatures[0].Checkpoint, signatures[0].line())
	return newest + linesFor(signatures, newest)
}
