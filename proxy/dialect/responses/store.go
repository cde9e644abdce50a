package responses

import (
	"bytes"
	"container/list"
	"slices"
	"strconv"
	"sync"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// Limits of a Store where its options name none.
const (
	defaultEntries = 1 << 10
	defaultBytes   = 64 << 20
	defaultAge     = 24 * time.Hour
)

// StoreOptions bound a Store. A zero field stands for the default: 1024 responses, 64
// MB, a day.
type StoreOptions struct {
	MaxEntries int
	// MaxBytes bounds the JSON text of what is kept: items count once, however many
	// responses go on from them.
	MaxBytes int
	MaxAge   time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store keeps answers, and what they answered, for requests that go on from them by
// previous_response_id or refer to their items. It keeps them in memory alone, and
// lets go of the oldest first. It may be used concurrently; the zero value is not
// usable, see NewStore.
type Store struct {
	o  StoreOptions
	mu sync.Mutex
	// order has the entries, the oldest in front.
	order   *list.List
	entries map[string]*list.Element
	items   map[string][]byte // items of answers by their ids
	size    int
}

// entry is one answer.
type entry struct {
	id       string
	born     time.Time
	response []byte
	segments []*segment // the conversation up to and with the answer
	items    []string   // the ids of the answer's items
}

// segment is a part of a conversation, a JSON array of items. It does not change. Its
// references count, under the store's lock, the entries that have it.
type segment struct {
	data       []byte
	references int
}

// Turn is what must be kept of a request so that later ones can go on from its
// answer. It owns its memory.
type Turn struct{ segments []*segment }

// Turn returns what Store.Put needs of the request, which may be released then.
func (r *Request) Turn() *Turn {
	segments := append(make([]*segment, 0, len(r.past)+1), r.past...)
	return &Turn{append(segments, &segment{data: r.InputItems()})}
}

// NewStore returns an empty store.
func NewStore(o StoreOptions) *Store {
	if o.MaxEntries <= 0 {
		o.MaxEntries = defaultEntries
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultBytes
	}
	if o.MaxAge <= 0 {
		o.MaxAge = defaultAge
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{o: o, order: list.New(), entries: make(map[string]*list.Element), items: make(map[string][]byte)}
}

// Decode is DecodeRequest for a request that may go on from what the store keeps.
// One that goes on from an answer that is not there is refused with
// llm.ErrInvalid and the code previous_response_not_found, as OpenAI does: the client
// must send the whole conversation then.
func (s *Store) Decode(body []byte) (*Request, *llm.Error) {
	r, err := decode(body, nil, s.item)
	if err != nil || r.Previous == "" {
		return r, err
	}
	previous := r.Previous
	r.Release()
	past, ok := s.past(previous)
	if !ok {
		const field = "previous_response_id"
		err := llm.Invalid(field, "%s: the response %q is not kept here (any more), send the whole conversation as input", field, clipped([]byte(previous)))
		err.Code = "previous_response_not_found"
		return nil, err
	}
	return decode(body, past, s.item)
}

// Put keeps an answer: response is the response object, whose memory is the store's
// from then on. An answer that is larger than all that the store may hold is not
// kept.
func (s *Store) Put(id string, t *Turn, response []byte) {
	output := outputOf(response)
	e := &entry{id: id, response: response, segments: append(slices.Clip(t.segments), &segment{data: output})}
	size := len(response)
	for _, segment := range e.segments {
		size += len(segment.data)
	}
	if size > s.o.MaxBytes {
		return
	}
	items := itemsByID(output)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.born = s.o.Now()
	s.remove(id)
	for id, item := range items {
		s.items[id] = item
		e.items = append(e.items, id)
	}
	s.entries[id] = s.order.PushBack(e)
	s.size += len(response)
	for _, segment := range e.segments {
		if segment.references++; segment.references == 1 {
			s.size += len(segment.data)
		}
	}
	for s.order.Len() > s.o.MaxEntries || s.size > s.o.MaxBytes {
		s.remove(s.order.Front().Value.(*entry).id)
	}
	s.expire()
}

// outputOf returns the output of a response object, a JSON array in memory of its own.
// It looks no further: behind the output is what the object repeats of the request,
// which is far longer. No string before it can look like the key, as its quotes would be
// escaped.
func outputOf(response []byte) []byte {
	_, rest, _ := bytes.Cut(response, []byte(`,"output":`))
	r := rawjson.NewReader(rest)
	if r.Kind() != rawjson.Array {
		return []byte("[]")
	}
	return bytes.Clone(r.Raw())
}

// itemsByID returns the items of an array by their ids.
func itemsByID(items []byte) map[string][]byte {
	found := make(map[string][]byte)
	r := rawjson.NewReader(items)
	r.Array(func() {
		item := r.Raw()
		if item.Kind() != rawjson.Object {
			return
		}
		fields := rawjson.NewReader(item)
		fields.Object(func(key []byte) {
			if string(key) == "id" && fields.Kind() == rawjson.Text {
				found[fields.String().String()] = item
			}
		})
	})
	return found
}

// Get returns the response object of an answer, which must not be changed, and
// whether it is there.
func (s *Store) Get(id string) (response []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if e, ok := s.entries[id]; ok {
		return e.Value.(*entry).response, true
	}
	return nil, false
}

// Delete lets go of an answer, and reports whether it was there. Answers that went on
// from it are still whole.
func (s *Store) Delete(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return s.remove(id)
}

// Len returns how many answers are kept, and Size how many bytes of JSON text.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.Len()
}

// Size returns how many bytes of JSON text are kept.
func (s *Store) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// past returns the conversation up to and with an answer.
func (s *Store) past(id string) ([]*segment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	found, ok := s.entries[id]
	if !ok {
		return nil, false
	}
	return found.Value.(*entry).segments, true
}

// item returns an item of an answer, or nil.
func (s *Store) item(id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return s.items[id]
}

// expire lets go of what is too old. Entries are in the order of their birth.
func (s *Store) expire() {
	oldest := s.o.Now().Add(-s.o.MaxAge)
	for front := s.order.Front(); front != nil && front.Value.(*entry).born.Before(oldest); front = s.order.Front() {
		s.remove(front.Value.(*entry).id)
	}
}

// remove lets go of an answer. Segments that other answers have stay.
func (s *Store) remove(id string) bool {
	found, ok := s.entries[id]
	if !ok {
		return false
	}
	e := s.order.Remove(found).(*entry)
	delete(s.entries, id)
	for _, id := range e.items {
		delete(s.items, id)
	}
	s.size -= len(e.response)
	for _, segment := range e.segments {
		if segment.references--; segment.references == 0 {
			s.size -= len(segment.data)
		}
	}
	return true
}

// NotFound is the error for an answer that is not kept.
func NotFound(id string) *llm.Error {
	return &llm.Error{Kind: llm.ErrNotFound, Message: "the response " + strconv.Quote(clipped([]byte(id))) + " is not kept here (any more)"}
}

// AppendDeleted appends the answer of DELETE /v1/responses/{id}.
func AppendDeleted(dst []byte, id string) []byte {
	dst = rawjson.AppendQuote(append(dst, `{"id":`...), id)
	return append(dst, `,"object":"response","deleted":true}`...)
}
