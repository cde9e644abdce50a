package upstream

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"glmtray/proxy/llm"
)

// code is what one of the platform's business codes means and who can do
// something about it.
type code struct {
	kind   llm.ErrorKind
	retry  bool
	advice string // a sentence without a full stop; %s is the time of the reset
}

// The headers that a solved captcha is sent in. The first also comes with an answer that
// asks for one.
const (
	CaptchaHeader       = "X-Aliyun-Captcha-Verify-Param"
	CaptchaRegionHeader = "X-Aliyun-Captcha-Verify-Region"
)

// Codes of the start plan's gateway.
const (
	// CodeCaptcha says that a person must solve a captcha, or that what was sent of one
	// is not accepted (any more).
	CodeCaptcha = "3007"
	// CodeBlocked says that the gateway does not want the request. Why is not known;
	// to send it again, or with another account, would not help.
	CodeBlocked = "3012"
)

// codes are the business codes of api.z.ai and open.bigmodel.cn (docs.z.ai and
// docs.bigmodel.cn, "Error codes"), and of the start plan's gateway (four digits
// from 3001 on), which is not documented. HTTP statuses do not decide: 429 stands
// for a short rate limit, a used-up week and an empty purse alike.
var codes = map[string]code{
	"1000":      {llm.ErrAuthentication, false, "the key is not accepted; log in again or check the key"},
	"1001":      {llm.ErrAuthentication, false, "no key was sent; log in or set a key"},
	"1002":      {llm.ErrAuthentication, false, "the key is not valid; log in again or check the key"},
	"1003":      {llm.ErrAuthentication, false, "the key has expired; log in again"},
	"1004":      {llm.ErrAuthentication, false, "the key could not be verified; log in again or check the key"},
	"1110":      {llm.ErrPermission, false, "the account is not active; see the provider's dashboard"},
	"1111":      {llm.ErrPermission, false, "the account does not exist"},
	"1112":      {llm.ErrPermission, false, "the account is locked; ask the provider's support"},
	"1113":      {llm.ErrQuota, false, "the account has no balance for this address; a coding plan's key works only on the plan's own address, so check provider, plan and key"},
	"1120":      {llm.ErrPermission, false, "the account cannot be used just now"},
	"1121":      {llm.ErrPermission, false, "the account is locked for unusual activity; ask the provider's support"},
	"1200":      {llm.ErrUpstream, false, ""},
	"1210":      {llm.ErrInvalid, false, "the provider does not say which parameter; known causes are an image for a text model, a tool schema that is no object, more than 128 tools, and thinking turned off for a model that always thinks"},
	"1211":      {llm.ErrNotFound, false, "the provider does not know this model; GET /v1/models lists some that it does"},
	"1212":      {llm.ErrInvalid, false, "the model does not support this kind of request"},
	"1213":      {llm.ErrInvalid, false, ""},
	"1214":      {llm.ErrInvalid, false, ""},
	"1215":      {llm.ErrInvalid, false, ""},
	"1220":      {llm.ErrPermission, false, "the key may not use this model"},
	"1221":      {llm.ErrNotFound, false, "the provider has withdrawn this interface"},
	"1222":      {llm.ErrNotFound, false, "the provider has no such interface"},
	"1230":      {llm.ErrUpstream, true, ""},
	"1231":      {llm.ErrInvalid, false, ""},
	"1234":      {llm.ErrUpstream, true, "a network failure within the provider"},
	"1261":      {llm.ErrContextLength, false, "the prompt is longer than the model's context; compact the conversation"},
	"1300":      {llm.ErrPolicy, false, "the provider's policy refuses this request"},
	"1301":      {llm.ErrPolicy, false, "the provider takes the content for sensitive"},
	"1302":      {llm.ErrRateLimit, true, "too many requests at once; fewer in parallel help"},
	"1303":      {llm.ErrRateLimit, true, "requests come too fast"},
	"1304":      {llm.ErrQuota, false, "the day's limit of calls is reached"},
	"1305":      {llm.ErrOverloaded, true, "the model is overloaded; it should pass"},
	"1308":      {llm.ErrQuota, false, "the plan's 5-hour quota is used up%s"},
	"1309":      {llm.ErrQuota, false, "the plan has ended; renew it at the provider"},
	"1310":      {llm.ErrQuota, false, "the plan's weekly or monthly quota is used up%s"},
	"1311":      {llm.ErrPermission, false, "the plan does not include this model; choose another"},
	"1312":      {llm.ErrOverloaded, true, "the model is busy; another may answer"},
	"1313":      {llm.ErrQuota, false, "the provider restricts the account under its fair-use policy; ask its support"},
	"1314":      {llm.ErrQuota, false, "the enterprise package has ended"},
	"1316":      {llm.ErrQuota, false, "the plan's quota is used up%s"},
	"1317":      {llm.ErrQuota, false, "the plan's quota is used up%s"},
	"1318":      {llm.ErrQuota, false, "the plan's quota is used up%s"},
	"1319":      {llm.ErrQuota, false, "the plan's quota is used up%s"},
	"1320":      {llm.ErrQuota, false, "the plan's quota is used up%s"},
	"1321":      {llm.ErrQuota, false, "the plan's quota is used up%s"},
	"3001":      {llm.ErrInvalid, false, ""},
	CodeCaptcha: {llm.ErrPermission, false, "the start plan asks for a captcha, which a person must solve"},
	CodeBlocked: {llm.ErrPermission, false, "the start plan's gateway has blocked this request; open the ZCode app, wait, or use a coding plan"},
}

// Explain adds to a failure what the provider's code means: its kind, whether and
// when a retry makes sense, and what a person can do. The provider's own words stay
// in the message. now and the local zone are used to name the time of a reset.
func (u *Upstream) Explain(e *llm.Error, now time.Time) {
	if u.Rewrite != nil && u.Rewrite(e) {
		return
	}
	told := e.Message
	e.Message = u.Name + ": " + told
	if e.Code != "" && !strings.Contains(told, e.Code) {
		e.Message = u.Name + " (code " + e.Code + "): " + told
	}
	if !u.GLM {
		return
	}
	c, known := codes[e.Code]
	if !known {
		return
	}
	e.Kind = c.kind
	reset := ""
	if strings.Contains(c.advice, "%s") {
		if at, ok := resetTime(told); ok && at.After(now) {
			e.RetryAfter = at.Sub(now).Round(time.Second)
			reset = "; it resets at " + clock(at.Local(), now.Local())
		}
	}
	if c.advice != "" {
		e.Message += " – " + strings.Replace(c.advice, "%s", reset, 1)
	}
}

// Retryable reports whether the same request may succeed shortly. A known code
// decides; without one the status does.
func (u *Upstream) Retryable(e *llm.Error) bool {
	if c, known := codes[e.Code]; u.GLM && known {
		return c.retry
	}
	switch e.Status {
	case 429, 502, 503, llm.StatusOverloaded:
		return true
	case 0:
		return e.Kind == llm.ErrOverloaded || e.Kind == llm.ErrRateLimit
	}
	return false
}

var resetPattern = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// resetTime reads the time from "Your limit will reset at 2026-11-20 14:20:00".
// It carries no zone; the platform means its own, UTC+8.
func resetTime(message string) (time.Time, bool) {
	at, err := time.ParseInLocation(time.DateTime, resetPattern.FindString(message), time.FixedZone("UTC+8", 8*60*60))
	return at, err == nil
}

// clock names a time as short as it is clear.
func clock(at, now time.Time) string {
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04")
	}
	return fmt.Sprintf("%s on %s", at.Format("15:04"), at.Format("Monday, 2 January"))
}
