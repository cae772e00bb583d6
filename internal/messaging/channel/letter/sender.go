package letter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/calendar"
)

// Manifest says what the print house finds in the PDF beside it. It is written last: where there is
// a manifest the letter is whole.
type Manifest struct {
	ID uuid.UUID `json:"id"`
	// CreatedAt is when the letter was promised.
	CreatedAt time.Time `json:"created_at"`
	Pages     int       `json:"pages"`
	// SHA256 is that of the PDF, in hexadecimal digits.
	SHA256 string `json:"sha256"`
	// Recipient has the lines of the address.
	Recipient []string `json:"recipient"`
}

// Sender hands letters over: it puts each into the bucket, in the folder of its day.
type Sender struct{ bucket *blob.Bucket }

// NewSender returns a sender that writes into the bucket.
func NewSender(bucket *blob.Bucket) *Sender { return &Sender{bucket} }

// Send implements channel.Sender. A letter that is there already is left as it is.
func (s *Sender) Send(ctx context.Context, m channel.Outgoing) (channel.Sent, error) {
	key := "letters/" + calendar.DateIn(m.CreatedAt).String() + "/" + m.ID.String()
	handed := channel.Sent{State: outbox.HandedOver, ProviderRef: key + ".pdf"}
	there, err := s.bucket.Exists(ctx, key+".json")
	if err != nil {
		return channel.Sent{}, fmt.Errorf("looking for the letter: %w", err)
	}
	if there {
		return handed, nil
	}
	pdf, pages, err := render(m)
	if err != nil {
		return channel.Sent{}, err
	}
	digest := sha256.Sum256(pdf)
	manifest, err := json.Marshal(Manifest{
		ID: m.ID, CreatedAt: m.CreatedAt, Pages: pages, SHA256: hex.EncodeToString(digest[:]), Recipient: Lines(m.To),
	})
	if err != nil {
		return channel.Sent{}, err
	}
	if err := s.bucket.WriteAll(ctx, key+".pdf", pdf, &blob.WriterOptions{ContentType: "application/pdf"}); err != nil {
		return channel.Sent{}, fmt.Errorf("writing the letter: %w", err)
	}
	if err := s.bucket.WriteAll(ctx, key+".json", manifest, &blob.WriterOptions{ContentType: "application/json"}); err != nil {
		return channel.Sent{}, fmt.Errorf("writing the letter's manifest: %w", err)
	}
	return handed, nil
}
