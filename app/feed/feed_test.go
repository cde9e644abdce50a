package feed

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func values(p Page[string]) string {
	var list []string
	for _, item := range p.Items {
		list = append(list, fmt.Sprintf("%d:%s", item.Seq, item.Value))
	}
	return strings.Join(list, " ")
}

// name is what stands before the equals sign.
func name(v string) string {
	before, _, _ := strings.Cut(v, "=")
	return before
}

func TestAfter(t *testing.T) {
	f := New(3, name)
	empty := f.After("", 0)
	if empty.Whole || len(empty.Items) != 0 || empty.Last != 0 {
		t.Errorf("%+v", empty)
	}
	f.Put("a=1")
	select {
	case <-empty.Changed:
	default:
		t.Error("a change that is not told")
	}
	f.Put("b=1")
	f.Put("a=2")
	first := f.After(empty.Epoch, 0)
	if got := values(first); got != "2:b=1 3:a=2" || !first.Whole {
		t.Errorf("%s %v", got, first.Whole)
	}
	if p := f.After(first.Epoch, 2); values(p) != "3:a=2" || !p.Whole {
		t.Errorf("%s %v", values(p), p.Whole)
	}
	f.Put("c=1")
	f.Put("d=1")
	if p := f.After(first.Epoch, 2); values(p) != "3:a=2 4:c=1 5:d=1" || !p.Whole {
		t.Errorf("b, which had to go, was known: %s %v", values(p), p.Whole)
	}
	if p := f.After(first.Epoch, 1); p.Whole || len(p.Items) != 3 {
		t.Errorf("b was missed: %s %v", values(p), p.Whole)
	}
	for _, wrong := range []Page[string]{f.After("another", 5), f.After(first.Epoch, 6)} {
		if wrong.Whole || len(wrong.Items) != 3 {
			t.Errorf("%s %v", values(wrong), wrong.Whole)
		}
	}
	f.Clear()
	cleared := f.After(first.Epoch, 5)
	if cleared.Whole || len(cleared.Items) != 0 || cleared.Epoch == first.Epoch {
		t.Errorf("%+v", cleared)
	}
}

func TestWithoutNames(t *testing.T) {
	f := New[string](2, nil)
	for range 3 {
		f.Put("same")
	}
	if p := f.After(f.After("", 0).Epoch, 1); values(p) != "2:same 3:same" || !p.Whole {
		t.Errorf("%s %v", values(p), p.Whole)
	}
}

// TestReaderMissesNothing holds that a reader that looks in at random moments ends with
// what the feed holds, and never gets a change twice.
func TestReaderMissesNothing(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		f := New(1+random.IntN(8), name)
		epoch, last, held := "", uint64(0), map[string]string{}
		read := func() {
			p := f.After(epoch, last)
			if !p.Whole {
				clear(held)
			}
			for _, item := range p.Items {
				if p.Whole && item.Seq <= last {
					t.Fatalf("seed %d: %d came again", seed, item.Seq)
				}
				held[name(item.Value)] = item.Value
			}
			epoch, last = p.Epoch, p.Last
		}
		for range 100 {
			switch n := random.IntN(20); {
			case n == 0:
				f.Clear()
			case n < 6:
				read()
			default:
				f.Put(strconv.Itoa(random.IntN(12)) + "=" + strconv.Itoa(random.Int()))
			}
		}
		read()
		for _, item := range f.After("", 0).Items {
			if held[name(item.Value)] != item.Value {
				t.Fatalf("seed %d: the reader has %v, the feed %s", seed, held, item.Value)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	f := New(100, name)
	var all sync.WaitGroup
	for writer := range 4 {
		all.Go(func() {
			for i := range 500 {
				f.Put(fmt.Sprintf("%d=%d", writer, i))
			}
		})
	}
	for range 100 {
		f.After("", 0)
	}
	all.Wait()
	p := f.After("", 0)
	var names []string
	for _, item := range p.Items {
		names = append(names, item.Value)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "0=499 1=499 2=499 3=499" || p.Last != 2000 {
		t.Errorf("%s, last %d", got, p.Last)
	}
}
