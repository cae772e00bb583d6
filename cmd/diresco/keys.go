package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"diresco/internal/app"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
)

type keysCommands struct {
	Signing    signingKeysCommand    `cmd:"" help:"Write a new private JWK set for sessions and receipts to a file, or change one."`
	Federation federationKeysCommand `cmd:"" help:"Write a new private JWK set for logins by OpenID Connect to a file, or change one."`
	Log        logKeysCommand        `cmd:"" help:"Write a new key that signs the log of the trail to a file, or change one; print its public keys."`
	Data       dataKeysCommand       `cmd:"" help:"Print a new key for DIRESCO_DATA_KEYS."`
	List       listKeysCommand       `cmd:"" help:"List the keys that the database knows, and which processes do not know them."`
	Accept     acceptKeysCommand     `cmd:"" help:"Let the database know this machine's keys, where those that it knows were lost."`
	Retire     retireKeyCommand      `cmd:"" help:"Let processes do without a data key."`
	Revoke     revokeKeyCommand      `cmd:"" help:"Believe a signing key no more. Its receipts count if the register has them."`
}

type signingKeysCommand struct {
	Path   string `arg:"" help:"The file with the set."`
	Add    bool   `xor:"change" help:"Add new keys before those that the file has."`
	Remove string `xor:"change" placeholder:"KID" help:"Remove a key from the file."`
}

// Run writes the set.
func (k signingKeysCommand) Run() error {
	switch {
	case k.Add:
		return keyring.AddFirst(k.Path)
	case k.Remove != "":
		return keyring.Remove(k.Path, k.Remove)
	}
	if _, err := os.Stat(k.Path); err == nil {
		return fmt.Errorf("%s exists already; --add puts new keys into it", k.Path)
	}
	_, err := keyring.LoadOrCreate(k.Path)
	return err
}

type federationKeysCommand struct {
	Path   string `arg:"" help:"The file with the set."`
	Add    bool   `xor:"change" help:"Add new keys behind those that the file has: they are published, and not used yet."`
	Remove string `xor:"change" placeholder:"KID" help:"Remove a key from the file."`
}

// Run writes the set.
func (k federationKeysCommand) Run() error {
	switch {
	case k.Add:
		return keyring.AddFederation(k.Path)
	case k.Remove != "":
		return keyring.RemoveFederation(k.Path, k.Remove)
	}
	if _, err := os.Stat(k.Path); err == nil {
		return fmt.Errorf("%s exists already; --add puts new keys into it", k.Path)
	}
	_, err := keyring.LoadOrCreateFederation(k.Path)
	return err
}

type logKeysCommand struct {
	Path   string `arg:"" help:"The file with the keys."`
	Name   string `help:"Name of the log, for a new file: the service's host and /audit/log, such as diresco.example/audit/log."`
	Add    bool   `xor:"change" help:"Add a new key behind those that the file has: all of them sign."`
	Remove string `xor:"change" placeholder:"PUBLIC" help:"Remove the key with this public key from the file."`
}

// Run writes the file where it is asked to, and prints the public keys.
func (k logKeysCommand) Run() error {
	var err error
	switch {
	case k.Add:
		err = keyring.AddLog(k.Path)
	case k.Remove != "":
		err = keyring.RemoveLog(k.Path, k.Remove)
	}
	if err != nil {
		return err
	}
	load := keyring.LoadLog
	if k.Name != "" {
		load = func(path string) (*keyring.Log, error) { return keyring.LoadOrCreateLog(path, k.Name) }
	}
	keys, err := load(k.Path)
	if err != nil {
		return err
	}
	for _, public := range keys.Public() {
		fmt.Println(public)
	}
	return nil
}

type dataKeysCommand struct{}

// Run prints a key with a fresh id.
func (dataKeysCommand) Run() error {
	key := make([]byte, 36)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	fmt.Printf("%s:%s\n", hex.EncodeToString(key[32:]), base64.StdEncoding.EncodeToString(key[:32]))
	return nil
}

// withKeys does something with the keys of the database that the configuration names.
func withKeys(ctx context.Context, do func(*app.KeyManager) error) error {
	c, err := storeConfig()
	if err != nil {
		return err
	}
	k, err := app.OpenKeys(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(do(k), k.Close())
}

type listKeysCommand struct{}

// Run prints one key a line.
func (listKeysCommand) Run(ctx context.Context) error {
	return withKeys(ctx, func(k *app.KeyManager) error {
		keys, err := k.List(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, key := range keys {
			unknown := ""
			if len(key.Unknown) > 0 {
				unknown = "unknown to: " + strings.Join(key.Unknown, ", ")
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", key.Kind, key.ID, key.State, key.Since.Format(time.RFC3339), unknown)
		}
		return table.Flush()
	})
}

type acceptKeysCommand struct{}

// Run lets the database know the keys of the configuration.
func (acceptKeysCommand) Run(ctx context.Context) error {
	return withKeys(ctx, func(k *app.KeyManager) error {
		fresh, err := k.Accept(ctx)
		if err != nil {
			return err
		}
		for _, id := range fresh {
			fmt.Println(id)
		}
		return nil
	})
}

type retireKeyCommand struct {
	ID   string `arg:"" help:"Id of the data key."`
	Lost bool   `help:"The key was lost: what was sealed with it is lost too."`
}

// Run retires the key.
func (r retireKeyCommand) Run(ctx context.Context) error {
	return withKeys(ctx, func(k *app.KeyManager) error { return inWords(k.Retire(ctx, r.ID, r.Lost), r.ID, "retired") })
}

type revokeKeyCommand struct {
	Kid    string    `arg:"" help:"Id of the signing key (kid)."`
	Reason string    `required:"" help:"Why, at most 200 characters; it is kept."`
	From   time.Time `help:"The instant from which it is believed no more, such as 2026-03-16T08:15:04Z; now unless it is given."`
	Force  bool      `help:"Do it though no other key is known to all processes: nobody can log in or file until there is one."`
}

// Run revokes the key.
func (r revokeKeyCommand) Run(ctx context.Context) error {
	if n := len([]rune(r.Reason)); n < 1 || n > 200 {
		return errors.New("the reason has 1 to 200 characters")
	}
	return withKeys(ctx, func(k *app.KeyManager) error {
		return inWords(k.Revoke(ctx, keyring.Revocation{Kid: r.Kid, From: r.From.UTC(), Reason: r.Reason}, r.Force), r.Kid, "revoked")
	})
}

// inWords says for a person what a fault means here.
func inWords(err error, id, done string) error {
	switch {
	case fault.Is(err, fault.NotFound):
		return fmt.Errorf("the database knows no such key: %s", id)
	case fault.Is(err, fault.Conflict):
		return fmt.Errorf("%s was %s already", id, done)
	}
	return err
}
