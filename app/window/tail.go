package window

import (
	"strconv"
	"strings"

	"glmtray/app/feed"
)

// maxEpochBytes bounds the name of an epoch that a page sends back.
const maxEpochBytes = 64

// place is how far a page has read a feed. The zero place is the beginning.
type place struct {
	epoch string
	seq   uint64
}

func (p place) String() string { return p.epoch + ":" + strconv.FormatUint(p.seq, 10) }

// placesOf reads the id of a message. What is not understood is the beginning: the page
// then gets everything anew, which is never wrong.
func placesOf(id string) (requests, lines place) {
	first, second, _ := strings.Cut(id, ";")
	return placeOf(first), placeOf(second)
}

// placeOf reads what String wrote.
func placeOf(text string) place {
	epoch, number, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || len(epoch) > maxEpochBytes {
		return place{}
	}
	return place{epoch, seq}
}

// tail reads a feed on from a place. One without a feed never has news, and keeps its
// place.
type tail[T any] struct {
	feed    *feed.Feed[T]
	at      place
	changed <-chan struct{} // closed with the first change after the last page
}

// next returns what came after the last page, and whether the reader has to know.
func (t *tail[T]) next() (page feed.Page[T], news bool) {
	if t.feed == nil {
		return page, false
	}
	page = t.feed.After(t.at.epoch, t.at.seq)
	t.at, t.changed = place{page.Epoch, page.Last}, page.Changed
	return page, len(page.Items) > 0 || !page.Whole
}

// batch is what a page gets of a feed.
type batch[T any] struct {
	Epoch string `json:"epoch"`
	// Whole says that the items follow on those before; if not, they take their place.
	Whole bool `json:"whole"`
	Items []T  `json:"items"`
}

func batchOf[T, U any](page feed.Page[T], item func(seq uint64, v T) U) batch[U] {
	out := batch[U]{Epoch: page.Epoch, Whole: page.Whole, Items: make([]U, len(page.Items))}
	for i, one := range page.Items {
		out.Items[i] = item(one.Seq, one.Value)
	}
	return out
}
