package receiptpdf

import (
	"io"
	"testing"
)

// BenchmarkReceipt_Render draws a receipt of one page.
func BenchmarkReceipt_Render(b *testing.B) {
	f := facts()
	b.ReportAllocs()
	for b.Loop() {
		if err := Render(io.Discard, f); err != nil {
			b.Fatal(err)
		}
	}
}
