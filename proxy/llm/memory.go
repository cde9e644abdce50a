package llm

import "sync"

// slabs are the memory of requests' blocks. An agent's request has hundreds of them,
// and to allocate those anew with each request is most of the collector's work.
var slabs = sync.Pool{New: func() any { return new([]Block) }}

// Memory is room for the blocks of a request, which may have been another's before. The
// zero Memory is none.
type Memory struct{ blocks *[]Block }

// NewMemory returns room for n blocks, all of them zero. It may be called concurrently.
func NewMemory(n int) Memory {
	blocks := slabs.Get().(*[]Block)
	if cap(*blocks) < n {
		*blocks = make([]Block, n)
	}
	*blocks = (*blocks)[:n]
	return Memory{blocks}
}

// Blocks returns the room.
func (m Memory) Blocks() []Block { return *m.blocks }

// Release gives the room back, for other requests. Nothing in it may be used afterwards.
// It need not be called, and does nothing the second time.
func (m *Memory) Release() {
	if m.blocks == nil {
		return
	}
	clear(*m.blocks)
	slabs.Put(m.blocks)
	m.blocks = nil
}
