package login

import (
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/secret"
)

// TestLongTokensAreHidden holds that a token which a server repeats stays hidden however
// long it is.
//
// It failed with "the error has the secret": the server's words were cut to a sentence
// before the token was looked for in them, and of one that is longer than a sentence the
// beginning, which is most of it, was left and went to the log.
func TestLongTokensAreHidden(t *testing.T) {
	token := "eyJhbGciOiJIUzI1NiJ9." + strings.Repeat("TOKENBODY", 60) + ".SECRET"
	repeats := func(form string) http.RoundTripper {
		return direct{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(strings.ReplaceAll(form, "TOKEN", token)))
		})}
	}
	for name, form := range map[string]string{
		"envelope": `{"code":401,"msg":"the token TOKEN is not valid"}`,
		"nested":   `{"error":{"message":"the token TOKEN is not valid"}}`,
		"plain":    `the token TOKEN is not valid`,
	} {
		for _, provider := range []string{"zai", "bigmodel"} { // in the body, and in a header
			t.Run(name+"/"+provider, func(t *testing.T) {
				e := endpointsAt(provider, "http://demo.test")
				_, err := Renew(t.Context(), e, Options{Transport: repeats(form)}, Tokens{Access: secret.New(token)})
				if err == nil {
					t.Fatal("it succeeded")
				}
				for _, piece := range []string{token[:30], "TOKENBODY", "SECRET"} {
					if strings.Contains(err.Error(), piece) {
						t.Fatalf("the error has the secret in it: %v", err)
					}
				}
				if !strings.Contains(err.Error(), "the token … is not valid") {
					t.Errorf("the server's words are lost: %v", err)
				}
			})
		}
	}
	t.Run("proof", func(t *testing.T) {
		key := strings.Repeat("k", 400) + ".SECRET"
		transport := direct{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"code":"1002","message":"the key ` + key + ` is not valid"}}`))
		})}
		_, _, err := Prove(t.Context(), endpointsAt("zai", "http://demo.test"), Options{Transport: transport}, secret.New(key))
		if err == nil || strings.Contains(err.Error(), "kkk") || !strings.Contains(err.Error(), "the key … is not valid") {
			t.Errorf("%v", err)
		}
	})
}

// TestWordsOfEachForm holds that what a server says, and its code, are kept whichever
// form its refusal has.
//
// It failed with the nested code and error_description lost: all that was left was
// "invalid_grant", or the words without their code.
func TestWordsOfEachForm(t *testing.T) {
	for text, want := range map[string]string{
		`{"error":{"code":"2007","message":"the code has expired"}}`:            " (code 2007): the code has expired",
		`{"error":{"code":2007,"message":"the code has expired"}}`:              " (code 2007): the code has expired",
		`{"code":500,"error":{"code":"2007","message":"the code has expired"}}`: " (code 2007): the code has expired",
		`{"error":"invalid_grant","error_description":"the code has expired"}`:  ": invalid_grant: the code has expired",
		`{"error_description":"the code has expired"}`:                          ": the code has expired",
		`{"error":"the code has expired"}`:                                      ": the code has expired",
		`{"code":200,"msg":"the code has expired","error":["no"]}`:              ": the code has expired",
	} {
		_, failed := open(StepToken, http.StatusBadRequest, []byte(text))
		if failed == nil || failed.Error() != "exchanging the code for tokens failed with HTTP 400"+want {
			t.Errorf("%s: %v", text, failed)
		}
	}
}

// TestEmptyErrorsAreNone holds that an answer which succeeds may name an error that is
// empty. It failed: the login ended at such an answer.
func TestEmptyErrorsAreNone(t *testing.T) {
	for _, text := range []string{
		`{"code":0,"msg":"","error":"","data":{"x":1}}`, `{"code":200,"error":false,"data":{"x":1}}`, `{"code":"0","error":{},"data":{"x":1}}`,
		`{"success":true,"error":null,"data":{"x":1}}`, `{"code":0,"msg":null,"success":true,"error":[],"data":{"x":1}}`,
	} {
		if data, failed := open(StepToken, http.StatusOK, []byte(text)); failed != nil || string(data) != `{"x":1}` {
			t.Errorf("%s: %s %v", text, data, failed)
		}
	}
	for _, text := range []string{`{"error":"no","data":{}}`, `{"error":{"code":1},"data":{}}`, `{"success":false,"data":{}}`, `{"error":true}`} {
		if _, failed := open(StepToken, http.StatusOK, []byte(text)); failed == nil {
			t.Errorf("%s is taken for a success", text)
		}
	}
}
