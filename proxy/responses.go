package proxy

import (
	"net/http"
	"strings"

	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// responsesPath is where the API of that name lies, without the version.
const responsesPath = "/responses"

// responsesErrors is the dialect's half that needs no store: the shape of its errors.
var responsesErrors = &dialect{name: upstream.Responses, appendError: responses.AppendError}

// newResponses returns the dialect of OpenAI's Responses, whose answers a store keeps for
// requests that go on from them. compact says that the answer is a conversation's
// summary.
func newResponses(store *responses.Store, compact bool) *dialect {
	d := &dialect{
		name: upstream.Responses,
		decodeRequest: func(body []byte) (*incoming, *llm.Error) {
			r, err := store.Decode(body)
			if err != nil {
				return nil, err
			}
			if compact {
				r.Compact()
				r.Stream = false
			}
			in := &incoming{Request: &r.Request, conversation: r.CacheKey, release: r.Release, echo: r.Echo()}
			if r.Store && !compact {
				in.turn = r.Turn()
			}
			return in, nil
		},
		newEncoder: func(o replyOptions) encoder { return responses.NewEncoder(responsesOptions(o)) },
		answer: func(r *llm.Response, o replyOptions) ([]byte, *llm.Error) {
			return responses.AppendAnswer(nil, r, responsesOptions(o))
		},
		appendError:     responses.AppendError,
		appendKeepAlive: responses.AppendKeepAlive,
	}
	if compact {
		d.answer = func(r *llm.Response, o replyOptions) ([]byte, *llm.Error) {
			return responses.AppendCompaction(nil, r, responsesOptions(o))
		}
	}
	return d
}

func responsesOptions(o replyOptions) responses.EncoderOptions {
	return responses.EncoderOptions{Model: o.model, ID: responseID(o.id), Created: o.created, InputEstimate: o.inputEstimate, Echo: o.echo}
}

func responseID(id string) string { return "resp_" + id }

// keep keeps an answer that a later request may go on from. response is nil if there is
// none.
func (s *Server) keep(x *exchange, response []byte) {
	if x.turn != nil && x.Err == nil && response != nil {
		s.Responses.Put(responseID(x.reply.id), x.turn, response)
	}
}

// keepStreamed keeps the answer that an encoder has written to its end, before the client
// sees that end and goes on from it; or notes that it has failed.
func (s *Server) keepStreamed(x *exchange, e encoder) {
	written, ok := e.(*responses.Encoder)
	if !ok {
		return
	}
	if failure := written.Failure(); failure != nil {
		x.gaveUp(failure)
	}
	if x.turn != nil && x.Err == nil {
		s.keep(x, written.Response())
		x.turn = nil // once
	}
}

// compact answers with the summary of a conversation that has become too long.
func (s *Server) compact(w http.ResponseWriter, r *http.Request) {
	s.converse(w, r, newResponses(s.Responses, true))
}

// showResponse answers with an answer that is kept.
func (s *Server) showResponse(w http.ResponseWriter, r *http.Request) {
	id := cleanPath(r.URL.Path)[len(responsesPath+"/"):]
	response, ok := s.Responses.Get(id)
	if !ok {
		s.refuse(w, r, responses.NotFound(id))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, response)
}

// dropResponse forgets an answer that is kept.
func (s *Server) dropResponse(w http.ResponseWriter, r *http.Request) {
	id := cleanPath(r.URL.Path)[len(responsesPath+"/"):]
	if !s.Responses.Delete(id) {
		s.refuse(w, r, responses.NotFound(id))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, responses.AppendDeleted(nil, id))
}

// isResponses reports whether a path belongs to that API.
func isResponses(path string) bool {
	return path == responsesPath || strings.HasPrefix(path, responsesPath+"/")
}

// ResponseStore keeps answers of the Responses API in memory, bounded by count, bytes and
// age. It may be used concurrently.
type ResponseStore = responses.Store

// NewResponseStore returns an empty store with the usual bounds.
func NewResponseStore() *ResponseStore { return responses.NewStore(responses.StoreOptions{}) }
