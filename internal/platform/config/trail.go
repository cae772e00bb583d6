package config

import (
	"slices"

	"diresco/internal/platform/witness"
)

// Trail is where the log of the trail goes, beside the database.
type Trail struct {
	// AuditMirror is where the log is copied to, a Go CDK bucket URL.
	AuditMirror string `env:"AUDIT_MIRROR" want:"file:///PATH or s3://BUCKET?region=…" unset:"no mirror" desc:"where the log of the trail is copied to, out of reach of the database's operators: file:///PATH or s3://BUCKET?region=…, for that alone"`
	// AuditWitnesses are the witnesses that cosign checkpoints.
	AuditWitnesses []string `env:"AUDIT_WITNESSES" want:"public keys, each with a blank and the https URL of its witness, separated by commas" unset:"nobody cosigns" desc:"witnesses that cosign the log of the trail (c2sp.org/tlog-witness), each its public key, a blank and its URL, separated by commas"`
}

// maxWitnesses bounds how long a checkpoint gets.
const maxWitnesses = 20

// Witnesses returns the addresses of the witnesses.
func (t Trail) Witnesses() ([]witness.Address, error) {
	all := make([]witness.Address, len(t.AuditWitnesses))
	for i, raw := range t.AuditWitnesses {
		var err error
		if all[i], err = witness.Parse(raw); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// checkTrail looks at where the log goes.
func (c *Config) checkTrail() []error {
	var wrong []error
	if c.AuditMirror != "" && (!isBucket(c.AuditMirror) || c.AuditMirror == c.BlobURL) {
		wrong = append(wrong, mustBe("AUDIT_MIRROR"))
	}
	all, err := c.Witnesses()
	if err != nil || len(all) > maxWitnesses {
		return append(wrong, mustBe("AUDIT_WITNESSES"))
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Name()
	}
	slices.Sort(names)
	if len(slices.Compact(names)) < len(all) {
		wrong = append(wrong, wrongValue("AUDIT_WITNESSES", "names one witness twice"))
	}
	return wrong
}
