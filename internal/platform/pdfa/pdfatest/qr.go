package pdfatest

import (
	"fmt"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// ReadQR reads the QR code in a picture, with another library than that which makes ours.
func ReadQR(page image.Image) (string, error) {
	bitmap, err := gozxing.NewBinaryBitmapFromImage(page)
	if err != nil {
		return "", err
	}
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return "", fmt.Errorf("no QR code: %w", err)
	}
	return found.GetText(), nil
}
