package receiptpdf

import (
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"diresco/internal/platform/pdfa/pdfatest"
)

// What an ordinary scanner makes of a print is enough to read the QR code. The sheet may lie askew.
func TestReceipt_QRCodeIsReadFromAScan(t *testing.T) {
	// Texts as long as those that are signed, with addresses of ordinary and of great length.
	for _, length := range []int{380, 480, 600} {
		f := facts()
		f.ScanURL = "https://portale.diresco.example/verify#"
		f.ScanURL += strings.Repeat("eyJhbGciOiJFUzI1NiIsImtpZCI6InJlY2VpcHQtNV9", 20)[:length-len(f.ScanURL)]
		pdf := render(t, f)
		for _, askew := range []float64{0, -3} {
			page, err := pdfatest.Raster(pdf, 1, 150)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := pdfatest.ReadQR(turned(page, askew)); err != nil || got != f.ScanURL {
				t.Errorf("%d bytes, %v degrees askew: %q, %v", length, askew, got, err)
			}
		}
	}
}

// turned is a picture askew by so many degrees, with the greys that a scanner has for white and
// black.
func turned(page *image.Gray, degrees float64) *image.Gray {
	out := image.NewGray(page.Rect)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	middleX, middleY := float64(page.Rect.Dx())/2, float64(page.Rect.Dy())/2
	shade := func(x, y int) float64 {
		if !image.Pt(x, y).In(page.Rect) {
			return 255
		}
		return float64(page.GrayAt(x, y).Y)
	}
	for y := range page.Rect.Dy() {
		for x := range page.Rect.Dx() {
			dx, dy := float64(x)-middleX, float64(y)-middleY
			u, v := dx*cos+dy*sin+middleX, dy*cos-dx*sin+middleY
			left, top := math.Floor(u), math.Floor(v)
			i, j := int(left), int(top)
			right, down := u-left, v-top
			mixed := (shade(i, j)*(1-right)+shade(i+1, j)*right)*(1-down) + (shade(i, j+1)*(1-right)+shade(i+1, j+1)*right)*down
			out.SetGray(x, y, color.Gray{uint8(40 + mixed*0.8)})
		}
	}
	return out
}
