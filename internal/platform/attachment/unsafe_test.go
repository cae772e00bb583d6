package attachment_test

import (
	"strings"
	"testing"

	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// What calls itself a container of signed files is looked through as any archive is.
func TestAttachment_ASignedContainerWithMoreInItIsNotTaken(t *testing.T) {
	allowed := append(attachment.Signed(), attachment.ZIP)
	for name, entry := range map[string]string{
		"a program": "fattura.pdf.exe", "a way out": "../../x", "a document": "",
	} {
		names := []string{"fattura.pdf", "META-INF/signature.p7s"}
		if entry != "" {
			names = append(names, entry)
		}
		content := zipped(t, nil, names...)
		u, err := attachment.Spool(strings.NewReader(content), "evil.zip", t.TempDir(), attachment.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		_, err = attachment.CheckUpTo(attachment.MaxSize, []*attachment.Upload{u}, "/attachments", allowed...)
		if (entry != "") != fault.Is(err, fault.Invalid) || entry == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Elements within elements cost memory, so a document has only so many of those.
func TestAttachment_AnXMLThatIsTooDeepIsNotTaken(t *testing.T) {
	for depth, taken := range map[int]bool{256: true, 257: false} {
		content := strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth)
		u, err := attachment.Spool(strings.NewReader(content), "a.xml", t.TempDir(), attachment.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		_, err = attachment.CheckUpTo(attachment.MaxSize, []*attachment.Upload{u}, "/attachments", attachment.XML)
		if taken != (err == nil) {
			t.Errorf("%d deep: %v", depth, err)
		}
	}
}
