package llm

import (
	"net/http"
	"strings"
	"testing"
)

func TestParseError(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   *Error
	}{
		"OpenAI":                   {429, `{"error":{"code":"1302","message":"Rate limit reached for requests"}}`, &Error{Kind: ErrRateLimit, Status: 429, Code: "1302", Message: "Rate limit reached for requests"}},
		"code is a number":         {400, `{"error":{"code":1211,"message":"Unknown Model"}}`, &Error{Kind: ErrInvalid, Status: 400, Code: "1211", Message: "Unknown Model"}},
		"Anthropic":                {529, `{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"r1"}`, &Error{Kind: ErrOverloaded, Status: 529, Message: "busy"}},
		"brackets":                 {429, `{"type":"error","error":{"type":"rate_limit_error","code":"1308","message":"[1308][Usage limit reached for 5 hour. Your limit will reset at 2026-11-20 14:20:00][2026abc]"}}`, &Error{Kind: ErrRateLimit, Status: 429, Code: "1308", Message: "Usage limit reached for 5 hour. Your limit will reset at 2026-11-20 14:20:00"}},
		"brackets, no code field":  {429, `{"error":{"type":"rate_limit_error","message":"[1310][Weekly limit][id]"}}`, &Error{Kind: ErrRateLimit, Status: 429, Code: "1310", Message: "Weekly limit"}},
		"too long for OpenAI":      {400, `{"error":{"message":"maximum context length","type":"invalid_request_error","code":"context_length_exceeded"}}`, &Error{Kind: ErrContextLength, Status: 400, Code: "context_length_exceeded", Message: "maximum context length"}},
		"too long for Anthropic":   {400, `{"type":"error","error":{"type":"invalid_request_error","message":"Prompt is too long: 5 tokens > 4 maximum"}}`, &Error{Kind: ErrContextLength, Status: 400, Message: "Prompt is too long: 5 tokens > 4 maximum"}},
		"brackets that are text":   {400, `{"error":{"message":"[x][y]"}}`, &Error{Kind: ErrInvalid, Status: 400, Message: "[x][y]"}},
		"bad key":                  {401, `{"error":{"message":"token expired or incorrect","type":"401"}}`, &Error{Kind: ErrAuthentication, Status: 401, Message: "token expired or incorrect"}},
		"error is a text":          {500, `{"error":"boom"}`, &Error{Kind: ErrUpstream, Status: 500, Message: "boom"}},
		"platform, HTTP 200":       {200, `{"code":500,"msg":"当前用户不存在coding plan","success":false}`, &Error{Kind: ErrUpstream, Code: "500", Message: "当前用户不存在coding plan"}},
		"platform, 1001 in a 200":  {200, `{"code":1001,"msg":"no header","success":false}`, &Error{Kind: ErrUpstream, Code: "1001", Message: "no header"}},
		"gateway":                  {400, `{"code":3007,"msg":"captcha verify failed"}`, &Error{Kind: ErrInvalid, Status: 400, Code: "3007", Message: "captcha verify failed"}},
		"wrong path":               {404, `{"timestamp":"x","status":404,"error":"Not Found","path":"/v4/x"}`, &Error{Kind: ErrNotFound, Status: 404, Message: "Not Found"}},
		"wrong path in a 200":      {200, `{"timestamp":"x","status":404,"error":"Not Found","path":"/v4/x"}`, &Error{Kind: ErrNotFound, Status: 404, Message: "Not Found"}},
		"in a stream":              {0, `{"error":{"code":"1234","message":"network"}}`, &Error{Kind: ErrUpstream, Code: "1234", Message: "network"}},
		"only a type":              {0, `{"type":"error","error":{"type":"overloaded_error"}}`, &Error{Kind: ErrOverloaded, Message: "overloaded_error"}},
		"a page":                   {502, `<html><body>Bad gateway</body></html>`, &Error{Kind: ErrUpstream, Status: 502, Message: "HTTP 502 Bad Gateway, with a web page instead of an answer"}},
		"a firewall's page":        {403, ` <html>blocked</html>`, &Error{Kind: ErrUpstream, Status: 403, Message: "HTTP 403 Forbidden, with a web page instead of an answer"}},
		"empty":                    {401, ``, &Error{Kind: ErrAuthentication, Status: 401, Message: "HTTP 401 Unauthorized, with an empty body"}},
		"plain text":               {404, "404 page not found\n", &Error{Kind: ErrNotFound, Status: 404, Message: "HTTP 404 Not Found: 404 page not found"}},
		"JSON without an error":    {503, `{"foo":1}`, &Error{Kind: ErrOverloaded, Status: 503, Message: "HTTP 503 Service Unavailable"}},
		"broken JSON":              {500, `{"error":{"code"`, &Error{Kind: ErrUpstream, Status: 500, Message: "HTTP 500 Internal Server Error"}},
		"an answer":                {200, `{"id":"m","type":"message","content":[],"stop_reason":"end_turn"}`, nil},
		"an answer with null":      {200, `{"id":"m","error":null,"choices":[]}`, nil},
		"an envelope that is fine": {200, `{"code":200,"msg":"Operation successful","success":true,"data":{}}`, nil},
		"a page, HTTP 200":         {200, `<html>`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := ParseError(tc.status, []byte(tc.body))
			if (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestParseErrorClips(t *testing.T) {
	got := ParseError(http.StatusInternalServerError, []byte(`{"error":"`+strings.Repeat("漢", 2000)+`"}`))
	if len(got.Message) > maxMessage+len("…") || !strings.HasSuffix(got.Message, "漢…") {
		t.Errorf("%d bytes, ends in %q", len(got.Message), got.Message[len(got.Message)-8:])
	}
}

func FuzzParseError(f *testing.F) {
	f.Add(200, []byte(`{"error":{"code":"1302","message":"[1][2]["}}`))
	f.Add(500, []byte(`<`))
	f.Add(180, []byte(`{"error":{}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if e := ParseError(status, body); e != nil && e.Message == "" {
			t.Errorf("an error without words for %d %q", status, body)
		}
	})
}
