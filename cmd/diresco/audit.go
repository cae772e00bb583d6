package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/internal/app"
	"diresco/internal/kernel/translog"
)

type auditCommands struct {
	Verify auditVerifyCommand `cmd:"" help:"Check the whole trail against its log: every row, the tree, every receipt. Ends with 1 if something is wrong."`
	Erase  auditEraseCommand  `cmd:"" help:"Erase from old records of the trail who did something and from where. What was done stays, and the trail still verifies."`
	Accept auditAcceptCommand `cmd:"" help:"Let this machine's keys sign the log from now on, where those that did were lost."`
}

type auditVerifyCommand struct {
	Checkpoint string   `type:"existingfile" help:"File with a checkpoint that was kept elsewhere: what it covers is checked, too."`
	Mirror     string   `placeholder:"URL" help:"Mirror of the log, as DIRESCO_AUDIT_MIRROR names it: it is checked as well, and its checkpoint is one that was kept."`
	Key        []string `help:"Public key of the log; more than one while keys are exchanged. Those of DIRESCO_AUDIT_KEYS unless they are given."`
}

// Run verifies and prints what was found.
func (v auditVerifyCommand) Run(ctx context.Context) error {
	c, err := storeConfig()
	if err != nil {
		return err
	}
	var checkpoint []byte
	if v.Checkpoint != "" {
		if checkpoint, err = os.ReadFile(v.Checkpoint); err != nil {
			return err
		}
	}
	shown := &progress{out: os.Stderr, tenth: map[string]int64{}}
	if info, err := os.Stderr.Stat(); err == nil {
		shown.bar = info.Mode()&os.ModeCharDevice != 0
	}
	report, err := app.VerifyTrail(ctx, c, app.Held{Keys: v.Key, Checkpoint: string(checkpoint), Mirror: v.Mirror}, shown.tell)
	if err != nil {
		return err
	}
	printReport(os.Stdout, report)
	if report.Found > 0 {
		return fmt.Errorf("%d findings: the trail is not as it was sealed", report.Found)
	}
	return nil
}

func printReport(out io.Writer, r translog.Report) {
	for _, f := range r.Findings {
		at := "log"
		if f.Position >= 0 {
			at = fmt.Sprintf("leaf %d", f.Position)
		}
		if f.Row != "" {
			at += ", " + f.Row
		}
		_, _ = fmt.Fprintf(out, "%s: %s\n", at, f.What)
	}
	if more := r.Found - len(r.Findings); more > 0 {
		_, _ = fmt.Fprintf(out, "and %d more\n", more)
	}
	_, _ = fmt.Fprintf(out, "tree: %d rows, %s\n", r.Tree.Count, rate(r.Tree, r.Cores))
	_, _ = fmt.Fprintf(out, "receipts: %d signatures, %s\n", r.Receipts.Count, rate(r.Receipts, r.Cores))
	if r.Mirrored > 0 {
		_, _ = fmt.Fprintf(out, "mirror: %d rows\n", r.Mirrored)
	}
	if r.Erasures > 0 {
		_, _ = fmt.Fprintf(out, "erased: %d records by %d erasures, %d of them since the checkpoint\n", r.Erased, r.Erasures, r.ErasedSince)
	}
	_, _ = fmt.Fprintf(out, "not sealed yet: %d rows", r.Unsealed)
	if !r.Since.IsZero() {
		_, _ = fmt.Fprintf(out, ", the oldest of %s", r.Since.Format(time.RFC3339))
	}
	if r.Daily > 0 {
		_, _ = fmt.Fprintf(out, "; %d of them have no time and are sealed at the day's end", r.Daily)
	}
	_, _ = fmt.Fprintln(out)
}

func rate(p translog.Pace, cores int) string {
	return fmt.Sprintf("%.0f a second on %d cores", float64(p.Count)/max(p.Took.Seconds(), 1e-9), cores)
}

// progress shows how far something long has come: a bar for who looks at it, else a line for each
// tenth.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	bar   bool
	tenth map[string]int64
}

func (p *progress) tell(part string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	const parts = 10
	tenth := parts * done / max(total, 1)
	switch {
	case p.bar:
		end := ""
		if done == total {
			end = "\n"
		}
		const width = 40
		filled := int(width * done / max(total, 1))
		_, _ = fmt.Fprintf(p.out, "\r%-9s %-*s %d/%d%s", part, width, bars[:filled], done, total, end)
	case tenth > p.tenth[part]:
		p.tenth[part] = tenth
		_, _ = fmt.Fprintf(p.out, "%s: %d/%d\n", part, done, total)
	}
}

const bars = "########################################"

type auditAcceptCommand struct {
	Reason string `required:"" help:"Why, at most 200 characters; it is kept."`
}

// Run signs the newest tree with this machine's keys.
func (a auditAcceptCommand) Run(ctx context.Context) error {
	if n := len([]rune(a.Reason)); n < 1 || n > 200 {
		return errors.New("the reason has 1 to 200 characters")
	}
	c, err := storeConfig()
	if err != nil {
		return err
	}
	public, err := app.AcceptLogKeys(ctx, c, a.Reason)
	for _, key := range public {
		fmt.Println(key)
	}
	return err
}

type auditEraseCommand struct {
	OlderThan int        `required:"" placeholder:"DAYS" help:"How old a record must be, in days: 90 or more."`
	Person    *uuid.UUID `placeholder:"PERSON_ID" help:"The person whose records, and records of whom, are erased; those of everybody unless it is given."`
	Reason    string     `required:"" help:"Why, at most 200 characters; it is kept."`
}

// Run erases and prints how much.
func (e auditEraseCommand) Run(ctx context.Context) error {
	if n := len([]rune(e.Reason)); n < 1 || n > 200 {
		return errors.New("the reason has 1 to 200 characters")
	}
	c, err := storeConfig()
	if err != nil {
		return err
	}
	done, err := app.EraseTrail(ctx, c, e.OlderThan, e.Person, e.Reason, func(records int64) {
		_, _ = fmt.Fprintf(os.Stderr, "records: %d\n", records)
	})
	if err != nil {
		return err
	}
	fmt.Printf("erased: %d records of the trail, %d of the access log, %d looks of staff\n", done.Records, done.Accesses, done.Looks)
	if done.Unsealed > 0 {
		fmt.Printf("not sealed yet: %d records; repeat it once they are\n", done.Unsealed)
	}
	return nil
}
