// Command gen draws the icons of the tray. The four states differ by shape, so that
// they can be told apart without colour: a disc with a bolt (running), a ring with a
// bolt (stopped), a disc with three dots (busy), a triangle with an exclamation mark (a
// problem). The colours are middle tones that stand out from light and dark panels.
//
//	go run ./gen    in the folder of the icons
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
)

// shape reports whether a point of the unit square is painted.
type shape func(x, y float64) bool

// icon is one state.
type icon struct {
	name   string
	colour color.NRGBA
	paint  shape
}

func icons() []icon {
	disc := circle(0.5, 0.5, 0.47)
	ring := minus(disc, circle(0.5, 0.5, 0.36))
	// A bolt, like a Z with a swing: two points of it lie on the axis of symmetry.
	bolt := polygon(0.56, 0.13, 0.25, 0.55, 0.46, 0.55, 0.40, 0.87, 0.75, 0.43, 0.53, 0.43)
	thin := polygon(0.545, 0.24, 0.33, 0.54, 0.475, 0.54, 0.43, 0.76, 0.67, 0.45, 0.525, 0.45)
	dots := either(circle(0.27, 0.5, 0.085), either(circle(0.5, 0.5, 0.085), circle(0.73, 0.5, 0.085)))
	mark := either(box(0.445, 0.36, 0.555, 0.66), circle(0.5, 0.785, 0.07))
	return []icon{
		{"running", color.NRGBA{0x17, 0x93, 0x6a, 0xff}, minus(disc, bolt)},
		{"stopped", color.NRGBA{0x7d, 0x83, 0x8c, 0xff}, either(ring, thin)},
		{"busy", color.NRGBA{0x2f, 0x7b, 0xe6, 0xff}, minus(disc, dots)},
		{"problem", color.NRGBA{0xd9, 0x72, 0x0b, 0xff}, minus(roundTriangle(), mark)},
	}
}

func circle(cx, cy, r float64) shape {
	return func(x, y float64) bool { return math.Hypot(x-cx, y-cy) <= r }
}

func box(left, top, right, bottom float64) shape {
	return func(x, y float64) bool { return x >= left && x <= right && y >= top && y <= bottom }
}

func minus(a, b shape) shape  { return func(x, y float64) bool { return a(x, y) && !b(x, y) } }
func either(a, b shape) shape { return func(x, y float64) bool { return a(x, y) || b(x, y) } }

// polygon is what lies inside corners, given as x and y in turn (even-odd rule).
func polygon(corners ...float64) shape {
	n := len(corners) / 2
	return func(x, y float64) bool {
		in := false
		for i, j := 0, n-1; i < n; j, i = i, i+1 {
			xi, yi, xj, yj := corners[2*i], corners[2*i+1], corners[2*j], corners[2*j+1]
			if (yi > y) != (yj > y) && x < (xj-xi)*(y-yi)/(yj-yi)+xi {
				in = !in
			}
		}
		return in
	}
}

// roundTriangle is a triangle with rounded corners: everything near a smaller one.
func roundTriangle() shape {
	const r = 0.09
	corners := [3][2]float64{{0.5, 0.13}, {0.10, 0.86}, {0.90, 0.86}}
	inner := polygon(corners[0][0], corners[0][1], corners[1][0], corners[1][1], corners[2][0], corners[2][1])
	return func(x, y float64) bool {
		if inner(x, y) {
			return true
		}
		for i := range corners {
			if distance(x, y, corners[i], corners[(i+1)%3]) <= r {
				return true
			}
		}
		return false
	}
}

// distance is how far a point lies from the line between two others.
func distance(x, y float64, a, b [2]float64) float64 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	t := max(0, min(1, ((x-a[0])*dx+(y-a[1])*dy)/(dx*dx+dy*dy)))
	return math.Hypot(x-a[0]-t*dx, y-a[1]-t*dy)
}

// draw paints an icon of a size in pixels, each of which is the mean of many samples.
func draw(paint shape, c color.NRGBA, size int) *image.NRGBA {
	const samples = 8
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	step := 1 / float64(size*samples)
	for py := range size {
		for px := range size {
			n := 0
			for s := range samples * samples {
				x := float64(px)/float64(size) + (float64(s%samples)+0.5)*step
				y := float64(py)/float64(size) + (float64(s/samples)+0.5)*step
				if paint(x, y) {
					n++
				}
			}
			c.A = uint8(n * 255 / (samples * samples))
			img.SetNRGBA(px, py, c)
		}
	}
	return img
}

func encodePNG(img image.Image) ([]byte, error) {
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, img)
	return out.Bytes(), err
}

// encodeICO writes sizes of an icon as bitmaps, the form that every program that reads
// .ico files understands alike.
func encodeICO(images []*image.NRGBA) []byte {
	const headerSize, entrySize, infoSize = 6, 16, 40
	var out, data bytes.Buffer
	put := func(to *bytes.Buffer, values ...any) {
		for _, v := range values {
			// A buffer takes everything, and these values have a fixed size.
			if err := binary.Write(to, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	put(&out, uint16(0), uint16(1), uint16(len(images)))
	for _, img := range images {
		size, start := img.Bounds().Dx(), data.Len()
		maskRow := (size + 31) / 32 * 4
		put(&data, uint32(infoSize), int32(size), int32(2*size), uint16(1), uint16(32), uint32(0), uint32(0), [4]uint32{})
		for y := size - 1; y >= 0; y-- {
			for x := range size {
				c := img.NRGBAAt(x, y)
				put(&data, [4]byte{c.B, c.G, c.R, c.A})
			}
		}
		data.Write(make([]byte, maskRow*size)) // the alpha channel says it all
		put(&out, uint8(size), uint8(size), uint8(0), uint8(0), uint16(1), uint16(32), uint32(data.Len()-start), uint32(headerSize+entrySize*len(images)+start))
	}
	return append(out.Bytes(), data.Bytes()...)
}

// files returns the content of every file by its name.
func files() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, i := range icons() {
		var sizes []*image.NRGBA
		for _, size := range []int{16, 24, 32, 48} {
			sizes = append(sizes, draw(i.paint, i.colour, size))
		}
		out[i.name+".ico"] = encodeICO(sizes)
		var err error
		// 48 pixels halve and third evenly for panels of 24 and 16.
		if out[i.name+".png"], err = encodePNG(sizes[len(sizes)-1]); err != nil {
			return nil, err
		}
		// Menu bars are 22 points high, and twice as many pixels.
		if out[i.name+"-template.png"], err = encodePNG(draw(i.paint, color.NRGBA{}, 44)); err != nil {
			return nil, err
		}
		if i.name == "running" {
			if out["logo.png"], err = encodePNG(draw(i.paint, i.colour, 128)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func main() {
	all, err := files()
	if err == nil {
		for name, data := range all {
			if err = os.WriteFile(name, data, 0o644); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
