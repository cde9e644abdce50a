package login

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
	"glmtray/proxy/secret"
)

var testKey = secret.New("0123456789abcdef0123456789abcdef.SECRETSECRET1234")

// What the codes of docs.z.ai show of a key, in the forms in which the Messages endpoint
// tells them.
func TestProofByCode(t *testing.T) {
	t.Parallel()
	const refused Proof = "refused"
	want := map[Proof][]int{
		NoPlan:   {1113, 1309, 1314},
		UsedUp:   {1302, 1303, 1304, 1305, 1308, 1310, 1312, 1313, 1316, 1317, 1318, 1319, 1320, 1321},
		Works:    {0, 1211, 1212, 1220, 1311},
		Unproved: {500, 1200, 1230, 1234, 1300},
		refused:  {1000, 1001, 1002, 1003, 1004, 1110, 1111, 1112, 1120, 1121},
	}
	for proof, codes := range want {
		for _, code := range codes {
			server := demo.New(demo.Options{Judge: func(credential string) int {
				if credential != testKey.Reveal() {
					t.Error("the credential is another")
				}
				return code
			}})
			got, level, err := Prove(t.Context(), endpointsAt("zai", "http://demo.test"), Options{Transport: direct{server}}, testKey)
			noSecrets(t, err)
			if proof == refused {
				// Of a wrong key the Messages endpoint does not tell the code.
				failed := wantStep(t, err, StepTest)
				if told := code > 1004; told != (failed.Code == strconv.Itoa(code)) || failed.Said == "" || got != Unproved || level != "" {
					t.Errorf("%d: %s, %s, %v", code, got, level, err)
				}
				continue
			}
			if err != nil || got != proof || level != "pro" {
				t.Errorf("%d: %q, %q, %v; want %q", code, got, level, err, proof)
			}
		}
	}
}

func TestProofByForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		status  int
		body    string
		want    Proof
		refused bool
	}{
		{"a message", 200, `{"id":"m","type":"message","role":"assistant","content":[]}`, Works, false},
		{"a web page", 200, `<!doctype html><title>Log in to the hotel</title>`, Unproved, false},
		{"nothing", 200, ``, Unproved, false},
		{"something", 200, `{"status":"ok"}`, Unproved, false},
		{"an error with 200", 200, `{"type":"error","error":{"type":"x","code":"1308","message":"[1308][Usage limit reached][id]"}}`, UsedUp, false},
		{"a bad key", 401, `{"error":{"message":"token expired or incorrect","type":"401"}}`, Unproved, true},
		{"a bad key, empty", 401, ``, Unproved, true},
		{"a bad key with 200", 200, `{"code":401,"msg":"token expired or incorrect","success":false}`, Unproved, true},
		{"a bare code", 429, `{"code":1113,"msg":"no balance"}`, NoPlan, false},
		{"a code without words", 429, `{"error":{"code":1113}}`, NoPlan, false},
		{"the key in the words", 401, `{"error":{"code":"1002","message":"not accepted: ` + testKey.Reveal() + `"}}`, Unproved, true},
		{"forbidden", 403, `<html>`, Unproved, false},
		{"not found", 404, `{"error":"Not Found"}`, Unproved, false},
		{"broken", 500, `{"error":{"code":"11`, Unproved, false},
	}
	for _, test := range tests {
		server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if stepOf(r) == StepTest {
				text(test.status, test.body)(w, r)
				return
			}
			text(200, `{"code":500,"msg":"当前用户不存在coding plan","success":false}`)(w, r)
		})
		got, level, err := Prove(t.Context(), endpointsAt("zai", "http://demo.test"), Options{Transport: direct{server}}, testKey)
		noSecrets(t, err)
		if got != test.want || level != "" || (err != nil) != test.refused {
			t.Errorf("%s: %q, %q, %v", test.name, got, level, err)
		}
		if test.refused {
			wantStep(t, err, StepTest)
		}
	}
}

// TestProofOfARefusedKey holds that a login whose key is refused still serves the start
// plan.
func TestProofOfARefusedKey(t *testing.T) {
	t.Parallel()
	w := newBubble(t, "zai", platform.Options{})
	w.breakAt(StepTest, text(401, `{"error":{"code":"1004","message":"Authentication failed"}}`))
	got, err := w.login(t.Context(), Options{Flow: Paste}, answering("allow"))
	wantStep(t, got.KeyError, StepTest, "HTTP 401", "1004", "Authentication failed")
	if err != nil || !got.Key.Empty() || got.JWT.Empty() {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestProofThatCannotBeHad(t *testing.T) {
	t.Parallel()
	e := endpointsAt("zai", "http://demo.test")
	drop := Options{Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { platform.Fault{Drop: true}.Serve(w, r) })}}
	if got, level, err := Prove(t.Context(), e, drop, testKey); got != Unproved || level != "" || err != nil {
		t.Errorf("unreachable: %q, %q, %v", got, level, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Prove(ctx, e, drop, testKey); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	called := Options{Transport: direct{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL) })}}
	if got, level, err := Prove(t.Context(), Endpoints{QuotaBase: e.QuotaBase}, called, testKey); got != Unproved || level != "" || err != nil {
		t.Errorf("no address: %q, %q, %v", got, level, err)
	}
	e.AnthropicBase = "http://a b"
	_, _, err := Prove(t.Context(), e, called, testKey)
	wantStep(t, err, StepTest, "the address is not valid")

	e = endpointsAt("zai", "http://demo.test")
	e.QuotaBase = ""
	server := Options{Transport: direct{demo.New(demo.Options{})}}
	if got, level, err := Prove(t.Context(), e, server, testKey); got != Works || level != "" || err != nil {
		t.Errorf("no quota: %q, %q, %v", got, level, err)
	}
}

func TestMessagesURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://x.test/api/anthropic":              "https://x.test/api/anthropic/v1/messages",
		"https://x.test/api/anthropic//":            "https://x.test/api/anthropic/v1/messages",
		"https://x.test/api/anthropic/v1":           "https://x.test/api/anthropic/v1/messages",
		"https://x.test/api/anthropic/v1/":          "https://x.test/api/anthropic/v1/messages",
		"https://x.test/api/anthropic/v1/messages":  "https://x.test/api/anthropic/v1/messages",
		"https://x.test/api/anthropic/v1/messages/": "https://x.test/api/anthropic/v1/messages",
		"http://127.0.0.1:8080":                     "http://127.0.0.1:8080/v1/messages",
	} {
		if got := messagesURL(base); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
}
