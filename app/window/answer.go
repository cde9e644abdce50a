package window

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"glmtray/app/settings"
)

const (
	// maxBodyBytes bounds the body of a request: the settings as a whole fit many times.
	maxBodyBytes = 1 << 20
	// bodyTimeout is how long a body may take to come.
	bodyTimeout = 10 * time.Second
)

// badRequest is what is wrong with a request. Our own pages send none such, so that it
// is for whoever writes them.
type badRequest string

func (e badRequest) Error() string { return string(e) }

// intent is a POST whose body says what to do, and whose answer is empty or an error.
func intent[T any](mux *http.ServeMux, name string, do func(*http.Request, T) error) {
	mux.HandleFunc("POST /api/"+name, func(w http.ResponseWriter, r *http.Request) {
		var in T
		err := read(w, r, &in)
		if err == nil {
			err = do(r, in)
		}
		if err != nil {
			fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// read reads a body: one JSON value with the names of in and no others.
func read(w http.ResponseWriter, r *http.Request, in any) error {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil {
		return err
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		return fmt.Errorf("%w: %w", badRequest("the request is not understood"), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the request is not understood: something follows its body")
	}
	// What is done now may take its time.
	return control.SetReadDeadline(time.Time{})
}

// problem is something wrong with a setting.
type problem struct {
	Key     string `json:"key"`
	Message string `json:"message"`
	Origin  string `json:"origin"`
}

func problemsOf(list []settings.Problem) []problem {
	out := make([]problem, len(list))
	for i, p := range list {
		out[i] = problem{p.Key, p.Message, p.Origin.String()}
	}
	return out
}

// failure is the body of an answer that is none.
type failure struct {
	Message  string    `json:"message"`
	Problems []problem `json:"problems,omitempty"`
}

// fail answers with an error in words.
func fail(w http.ResponseWriter, err error) {
	var wrong *settings.Error
	var bad badRequest
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &wrong):
		answer(w, http.StatusUnprocessableEntity, failure{wrong.Error(), problemsOf(wrong.Problems)})
	case errors.As(err, &large):
		answer(w, http.StatusRequestEntityTooLarge, failure{Message: fmt.Sprintf("a request may have %d bytes", large.Limit)})
	case errors.As(err, &bad):
		answer(w, http.StatusBadRequest, failure{Message: err.Error()})
	default:
		answer(w, http.StatusConflict, failure{Message: err.Error()})
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the page may have left
}
