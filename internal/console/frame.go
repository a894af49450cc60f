package console

import (
	"image"
	"image/color"
)

// framed is a picture with a white margin, without which scanners do not find a
// QR code on a dark page.
type framed struct {
	image.Image
	margin int
}

func (f framed) Bounds() image.Rectangle {
	b := f.Image.Bounds()
	return image.Rect(0, 0, b.Dx()+2*f.margin, b.Dy()+2*f.margin)
}

func (f framed) ColorModel() color.Model { return color.GrayModel }

func (f framed) At(x, y int) color.Color {
	p := image.Pt(x-f.margin, y-f.margin)
	if !p.In(f.Image.Bounds()) {
		return color.White
	}
	return f.Image.At(p.X, p.Y)
}
