package mail

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"diresco/internal/messaging/channel"
)

// enhancedCode finds the codes of RFC 3463 in what a server says: 5.1.1, (#5.7.1). The groups
// around it keep addresses and versions out.
var enhancedCode = regexp.MustCompile(`(?:^|[^0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:$|[^0-9.]|\.(?:$|[^0-9]))`)

// badAddress are the codes that speak of the recipient's address or mailbox and of nothing else.
var badAddress = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}

// vague are the codes that say nothing beyond the number before them.
var vague = []string{"5.0.0", "5.0.1", "5.1.0"}

// unknownUser are the words by which servers without a telling code say that nobody has the
// address. The words of RFC 5321 for 550, "mailbox unavailable", are also used for a policy.
var unknownUser = []string{
	"user unknown", "unknown user", "no such user", "user not found", "user does not exist", "user doesn't exist", "no such recipient",
	"recipient unknown", "unknown recipient", "recipient not found", "recipient does not exist", "no such mailbox", "mailbox not found",
	"mailbox does not exist", "no mailbox here by that name", "unknown mailbox", "address unknown", "unknown address",
	"account that you tried to reach does not exist",
}

// ours are words that make a refusal the server's, the sender's or a policy's, whatever else it
// says.
var ours = []string{"relay", "sender", "rcpthosts", "not permitted", "not allowed", "denied", "blocked", "policy", "spam", "authent"}

// aboutRecipient tells whether what a server answers for good says that there is no such recipient.
// Others speak of the server, of the sender or of us: a relay that does not know us must not make
// every address a bad one (RFC 3463, RFC 5321 section 4.2.3). A number alone says nothing.
func aboutRecipient(code int, text string) bool {
	if code < 500 || code > 599 {
		return false
	}
	text = strings.ToLower(text)
	says := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	if says(ours) {
		return false
	}
	codes := codesIn(text)
	told := slices.ContainsFunc(codes, func(c string) bool { return slices.Contains(badAddress, c) })
	for _, c := range codes {
		if !slices.Contains(badAddress, c) && !slices.Contains(vague, c) {
			return false
		}
	}
	return told || (code == 550 || code == 551 || code == 553) && says(unknownUser)
}

func codesIn(text string) []string {
	var codes []string
	for _, found := range enhancedCode.FindAllStringSubmatch(text, -1) {
		codes = append(codes, found[1])
	}
	return codes
}

// stage is how far a message came with its server.
type stage string

// The stages.
const (
	connecting       stage = "not connected"
	namingSender     stage = "sender not taken"
	namingRecipient  stage = "recipient not taken"
	beginningMessage stage = "message not taken"
	writing          stage = "connection broke off"
	ending           stage = "message not taken at its end"
)

// refusedOr tells a recipient that does not exist from a failure. Servers repeat addresses in what
// they answer, so only their codes are kept.
func refusedOr(at stage, err error) error {
	var answer *textproto.Error
	if !errors.As(err, &answer) {
		return failed(at, err)
	}
	codes := codesIn(strings.ToLower(answer.Msg))
	// At the end of a message a server speaks of the message unless it has a code that says
	// otherwise.
	if (at == namingRecipient || at == ending && len(codes) > 0) && aboutRecipient(answer.Code, answer.Msg) {
		return &channel.Refused{Reason: "unknown-address"}
	}
	said := strconv.Itoa(answer.Code)
	if len(codes) > 0 {
		said += " " + codes[0]
	}
	return fmt.Errorf("smtp: %s: server answered %s", at, said)
}

// failed makes an error of the connection presentable: of an answer of the server only the code.
func failed(at stage, err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return fmt.Errorf("smtp: %s: server answered %d", at, answer.Code)
	}
	return fmt.Errorf("smtp: %s: %w", at, err)
}
