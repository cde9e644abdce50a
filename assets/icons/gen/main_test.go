package main

import (
	"bytes"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestFilesAreThose holds that the files are what this program draws.
func TestFilesAreThose(t *testing.T) {
	all, err := files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		if got, err := os.ReadFile(filepath.Join("..", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is drawn (%v); run: go generate ./assets", name, err)
		}
	}
}

// TestShapesDiffer holds that the states can be told apart without colour, at the
// smallest size: a good part of the pixels is painted in one and not in the other.
func TestShapesDiffer(t *testing.T) {
	const size, least = 16, 24
	list := icons()
	for i, a := range list {
		for _, b := range list[i+1:] {
			one, other, differ := draw(a.paint, color.NRGBA{}, size), draw(b.paint, color.NRGBA{}, size), 0
			for p := 3; p < len(one.Pix); p += 4 {
				if (one.Pix[p] > 127) != (other.Pix[p] > 127) {
					differ++
				}
			}
			if differ < least {
				t.Errorf("%s and %s differ in %d pixels only", a.name, b.name, differ)
			}
		}
	}
}

// TestContrast holds that an icon stands out from white and from dark panels, by the
// 3:1 that WCAG 2.2 asks of graphics.
func TestContrast(t *testing.T) {
	for _, i := range icons() {
		for _, panel := range []color.NRGBA{{0xff, 0xff, 0xff, 0xff}, {0x22, 0x22, 0x22, 0xff}} {
			if got := contrast(i.colour, panel); got < 3 {
				t.Errorf("%s on %v: contrast %.2f", i.name, panel, got)
			}
		}
	}
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is WCAG's relative luminance.
func luminance(c color.NRGBA) float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func linear(v uint8) float64 {
	s := float64(v) / 255
	if s <= 0.04045 {
		return s / 12.92
	}
	return math.Pow((s+0.055)/1.055, 2.4)
}
