package keyring

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// logName is what a log's name looks like: a host and a path.
var logName = regexp.MustCompile(`^[A-Za-z0-9.:-]{1,100}(/[A-Za-z0-9._-]{1,50}){0,5}$`)

// Log are the Ed25519 keys that sign the checkpoints of the trail's log. All of them sign, so that
// who knows an old one alone believes what is signed while keys are exchanged.
type Log struct {
	signers   []note.Signer
	verifiers []note.Verifier
	// lines are the private keys as a file has them, public the others as they are published.
	lines, public []string
}

// String implements fmt.Stringer without any part of a key.
func (l *Log) String() string { return fmt.Sprintf("%d keys of the log", len(l.signers)) }

// Name is that of the log, the first line of all its checkpoints.
func (l *Log) Name() string { return l.signers[0].Name() }

// Signers returns what signs.
func (l *Log) Signers() []note.Signer { return l.signers }

// Verifiers returns what checks signatures, one for each signer.
func (l *Log) Verifiers() []note.Verifier { return l.verifiers }

// Public returns the public keys as programs for signed notes read them.
func (l *Log) Public() []string { return l.public }

// GenerateLog makes a key for a log of this name.
func GenerateLog(name string) (*Log, error) {
	line, err := newLogKey(name)
	if err != nil {
		return nil, err
	}
	return ParseLog([]byte(line))
}

func newLogKey(name string) (string, error) {
	if !logName.MatchString(name) {
		return "", errors.New("a log is named by a host and a path, such as diresco.example/audit/log")
	}
	line, _, err := note.GenerateKey(rand.Reader, name)
	return line, err
}

// ParseLog reads keys as a file holds them, one a line, as package note writes private keys. They
// have one name. The error never holds a part of a key.
func ParseLog(content []byte) (*Log, error) {
	l := &Log{}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		signer, err := note.NewSigner(line)
		if err != nil {
			// The library's error may hold a part of the key.
			return nil, fmt.Errorf("key %d of the log is none", len(l.signers)+1)
		}
		if len(l.signers) > 0 && signer.Name() != l.Name() {
			return nil, errors.New("the keys of a log have one name")
		}
		// PRIVATE+KEY+name+hash+seed, and the last may have such signs too.
		parts := strings.SplitN(line, "+", 5)
		seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
		if err != nil || len(seed) != 1+ed25519.SeedSize {
			return nil, fmt.Errorf("key %d of the log is no Ed25519 key", len(l.signers)+1)
		}
		pair := ed25519.NewKeyFromSeed(seed[1:])
		public, err := note.NewEd25519VerifierKey(signer.Name(), pair.Public().(ed25519.PublicKey))
		if err != nil {
			return nil, err
		}
		verifier, err := note.NewVerifier(public)
		if err != nil {
			return nil, err
		}
		l.signers, l.verifiers = append(l.signers, signer), append(l.verifiers, verifier)
		l.lines, l.public = append(l.lines, line), append(l.public, public)
	}
	if len(l.signers) == 0 {
		return nil, errors.New("there is no key of the log")
	}
	return l, nil
}

//nolint:unparam // that of other keys may fail
func (l *Log) encode() ([]byte, error) { return []byte(strings.Join(l.lines, "\n") + "\n"), nil }

// LoadLog reads keys of the log from a file.
func LoadLog(path string) (*Log, error) { return load(path, "keys of the log", ParseLog) }

// LoadOrCreateLog is LoadLog for a file that may not exist yet. Where there is none, it first writes
// one with a new key for a log of this name, for the owner's eyes only.
func LoadOrCreateLog(path, name string) (*Log, error) {
	return loadOrCreate(path, LoadLog, func() (*Log, error) { return GenerateLog(name) })
}

// AddLog writes a new key behind those that the file has.
func AddLog(path string) error {
	l, err := LoadLog(path)
	if err != nil {
		return err
	}
	line, err := newLogKey(l.Name())
	if err != nil {
		return err
	}
	l.lines = append(l.lines, line)
	return save(path, l, ParseLog)
}

// RemoveLog writes the file without the key that has this public key.
func RemoveLog(path, public string) error {
	l, err := LoadLog(path)
	if err != nil {
		return err
	}
	i := slices.Index(l.public, public)
	if i < 0 {
		return fmt.Errorf("%s has no such key", path)
	}
	if l.lines = slices.Delete(l.lines, i, i+1); len(l.lines) == 0 {
		return errors.New("the last key of a log stays")
	}
	return save(path, l, ParseLog)
}
