package demo

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Business codes that the server itself answers with, without being told to by a directive.
const (
	codeInternal          = 500
	codeNoCredential      = 1001
	codeBadCredential     = 1002
	codeExpiredCredential = 1003
	codeBadParameter      = 1210
	codeMissingParameter  = 1213
	codeIllegalParameter  = 1214
	codeNetwork           = 1234
	codePromptTooLong     = 1261
	codeSensitive         = 1301
	codeRateLimit         = 1302
	codeOverloaded        = 1305
)

// statusOverloaded is what the Anthropic API answers when it is overloaded; net/http has no name for it.
const statusOverloaded = 529

// businessError is one row of Z.AI's table of business codes.
type businessError struct {
	status int    // HTTP status
	text   string // may hold {field}, {model}, {id} or {reset}
	// messagesStatus is the status on the Anthropic base where that differs; else 0.
	messagesStatus int
	// reset is how far in the future {reset} lies.
	reset time.Duration
}

// businessErrors is the error table of docs.z.ai/api-reference/api-code, with the texts that are seen on the wire where
// those are known to differ. Statuses that reports disagree about have their commonest value. 3007 and 3012 are the
// start-plan gateway's.
var businessErrors = map[int]businessError{
	500:  {status: 500, text: "Internal Error"},
	1000: {status: 401, text: "Authentication Failed"},
	1001: {status: 401, text: "Authentication parameter not received in Header, unable to authenticate"},
	1002: {status: 401, text: "Invalid Authentication Token, please confirm the correct transmission of the Authentication Token"},
	1003: {status: 401, text: "Authentication Token expired, please regenerate/obtain"},
	1004: {status: 401, text: "Authentication failed with the provided Authentication Token"},
	1110: {status: 401, text: "Your account is currently inactive. Please check your account information"},
	1111: {status: 401, text: "Your account does not exist"},
	1112: {status: 403, text: "Your account has been locked, please contact customer service to unlock"},
	1113: {status: 429, text: "Insufficient balance or no resource package. Please recharge."},
	1120: {status: 403, text: "Unable to successfully access your account, please try again later"},
	1121: {status: 403, text: "Account has irregular activities and has been locked"},
	1200: {status: 500, text: "API Call Error"},
	1210: {status: 400, text: "Invalid API parameter, please check the documentation."},
	1211: {status: 400, text: "Unknown Model, please check the model code."},
	1212: {status: 400, text: "Current model does not support SYNC call method"},
	1213: {status: 400, text: "{field} parameter not received properly"},
	1214: {status: 400, text: "Invalid {field} parameter. Please check the documentation"},
	1215: {status: 400, text: "tools and response_format cannot be set simultaneously, please check the documentation"},
	1220: {status: 403, text: "You do not have permission to access {model}"},
	1221: {status: 400, text: "API {model} has been taken offline"},
	1222: {status: 404, text: "API {model} does not exist"},
	1230: {status: 500, text: "API call process error"},
	1231: {status: 400, text: "You already have a request: {id}"},
	1234: {status: 500, text: "Network error, error id: {id}, please contact customer service"},
	1261: {status: 400, text: "Prompt exceeds max length"},
	1300: {status: 400, text: "API call blocked by policy"},
	1301: {status: 400, text: "System detected potentially unsafe or sensitive content in input or generation."},
	1302: {status: 429, text: "Rate limit reached for requests"},
	1303: {status: 429, text: "High frequency usage of this API, please reduce frequency or contact customer service"},
	1304: {status: 429, text: "Daily call limit for this API has been reached"},
	1305: {status: 429, messagesStatus: statusOverloaded, text: "The service may be temporarily overloaded, please try again later"},
	1308: {status: 429, reset: 3 * time.Hour, text: "Usage limit reached for 5 hour. Your limit will reset at {reset}"},
	1309: {status: 429, text: "Your GLM Coding Plan package has expired and is temporarily unavailable"},
	1310: {status: 429, reset: 4 * 24 * time.Hour, text: "Weekly/Monthly Limit Exhausted. Your limit will reset at {reset}"},
	1311: {status: 429, text: "The current subscription plan does not include access to {model}"},
	1312: {status: 429, text: "This model is experiencing high traffic, please try again later or use glm-4.7 instead"},
	1313: {status: 429, text: "Your account's usage pattern does not comply with the Fair Usage Policy, the request rate is limited"},
	1314: {status: 403, text: "Your enterprise package has expired"},
	1316: {status: 429, text: "The plan's usage is exhausted"},
	1317: {status: 429, text: "The plan's usage is exhausted"},
	1318: {status: 429, text: "The plan's usage is exhausted"},
	1319: {status: 429, text: "The plan's usage is exhausted"},
	1320: {status: 429, text: "The plan's usage is exhausted"},
	1321: {status: 429, text: "The plan's usage is exhausted"},
	3007: {status: 400, text: "captcha verify failed"},
	3012: {status: 405, text: "request has been blocked due to unusual activity"},
}

// gatewayCodes is the first code of the start-plan gateway, which has an envelope of its own: {"code":3007,"msg":"…"}.
const gatewayCodes = 3000

// failure is one business error, as it is told to one client.
type failure struct {
	code      int
	status    int    // HTTP status; 0 is the table's
	field     string // what {field} stands for
	model     string // what {model} stands for
	now       time.Time
	requestID string
}

func failed(code int) *failure { return &failure{code: code} }

func failedField(code int, field string) *failure { return &failure{code: code, field: field} }

// in returns f as a part of the request with this id.
func (f *failure) in(requestID string) *failure {
	placed := *f
	placed.requestID = requestID
	return &placed
}

// authentication tells whether f says that a credential is wrong.
func (f *failure) authentication() bool { return f.code >= 1000 && f.code <= 1004 }

// httpStatus is the status of f on the OpenAI bases, or on the Anthropic base.
func (f *failure) httpStatus(messagesBase bool) int {
	row := businessErrors[f.code]
	switch {
	case f.status != 0:
		return f.status
	case messagesBase && row.messagesStatus != 0:
		return row.messagesStatus
	}
	return row.status
}

// text is the message of f. Reset times are Beijing time and do not say so, as on the wire.
func (f *failure) text() string {
	row := businessErrors[f.code]
	return strings.NewReplacer(
		"{field}", f.field,
		"{model}", f.model,
		"{id}", f.requestID,
		"{reset}", f.now.Add(row.reset).In(beijing).Format(time.DateTime),
	).Replace(row.text)
}

// gatewayReply is f in the envelope of the start-plan gateway.
func (f *failure) gatewayReply() reply {
	return jsonReply(f.httpStatus(false), struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
	}{f.code, f.text()})
}

// platformReply is an error of the platform around the models, which comes with HTTP 200.
func platformReply() reply {
	return jsonReply(http.StatusOK, struct {
		Code    int    `json:"code"`
		Msg     string `json:"msg"`
		Success bool   `json:"success"`
	}{http.StatusInternalServerError, "Internal Error", false})
}

// beijing is the zone of every time that Z.AI writes without one.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// newRequestID makes an id of the form that Z.AI gives to requests: Beijing time to the second, then 16 hex digits.
func (s *Server) newRequestID() string {
	return s.opts.Now().In(beijing).Format("20060102150405") + randomHex(8)
}

// randomHex returns n random bytes as 2n hex digits.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(b)
}

// codeString is the code as Z.AI spells it on the inference endpoints: a JSON string.
func (f *failure) codeString() string { return strconv.Itoa(f.code) }
