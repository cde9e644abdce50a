package login

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"glmtray/proxy/secret"
)

// Proof is what a test request showed of a key.
type Proof string

// What can be shown.
const (
	Unproved Proof = ""       // it was not tried, or the provider could not say
	Works    Proof = "works"  // it was answered
	UsedUp   Proof = "quota"  // the key is good; its quota is used up for now
	NoPlan   Proof = "noplan" // the key is good, but no coding plan is behind it
)

// testModel is in every coding plan.
const testModel = "glm-4.5-air"

// Codes of docs.z.ai, "Error codes".
var (
	noPlanCodes = []string{"1113", "1309", "1314"}
	quotaCodes  = []string{"1302", "1303", "1304", "1305", "1308", "1310", "1312", "1313", "1316", "1317", "1318", "1319", "1320", "1321"}
	modelCodes  = []string{"1211", "1212", "1220", "1311"}
	// The envelope of the platform around the models has HTTP's code, and comes with HTTP 200.
	refusalCodes = []string{"401", "1000", "1001", "1002", "1003", "1004", "1110", "1111", "1112", "1120", "1121"}
)

// Prove tries a key with a request of one token, and looks up its plan. The error says
// that the key is refused; that the provider cannot be reached proves nothing, and is no
// error.
func Prove(ctx context.Context, e Endpoints, o Options, key secret.Value) (Proof, string, error) {
	return newCaller(e, o).prove(ctx, key)
}

func (c *caller) prove(ctx context.Context, key secret.Value) (Proof, string, error) {
	if c.AnthropicBase == "" {
		return Unproved, "", nil
	}
	c.begin(StepTest)
	proof, err := c.try(ctx, key)
	if err != nil {
		return proof, "", err
	}
	return proof, c.level(ctx, key), nil
}

// try sends the request.
func (c *caller) try(ctx context.Context, key secret.Value) (Proof, error) {
	body, err := json.Marshal(map[string]any{
		"model": testModel, "max_tokens": 1, "messages": []map[string]string{{"role": "user", "content": "Hi"}},
	})
	if err != nil {
		return Unproved, &StepError{Step: StepTest, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, messagesURL(c.AnthropicBase), bytes.NewReader(body))
	if err != nil {
		return Unproved, &StepError{Step: StepTest, Err: errors.New("the address is not valid; see the settings")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("User-Agent", c.options.UserAgent)
	req.Header.Set("X-Api-Key", key.Reveal())
	resp, err := c.http.Do(req)
	if err != nil {
		return Unproved, ctx.Err()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // what was cut is judged by its status
	code, said := failureIn(hide(text, key.Reveal(), nil))
	switch {
	case slices.Contains(noPlanCodes, code):
		return NoPlan, nil
	case slices.Contains(quotaCodes, code):
		return UsedUp, nil
	case slices.Contains(modelCodes, code):
		return Works, nil // it is the model that is refused, not the key
	case resp.StatusCode == http.StatusUnauthorized, slices.Contains(refusalCodes, code):
		return Unproved, &StepError{Step: StepTest, Status: resp.StatusCode, Code: code, Said: said}
	case resp.StatusCode == http.StatusOK && isMessage(text):
		return Works, nil
	}
	return Unproved, nil
}

// isMessage reports whether a text is a message of a model: pages of whatever stands on
// the way come with HTTP 200 too.
func isMessage(text []byte) bool {
	var message struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(text, &message) == nil && message.Type == "message"
}

// messagesURL is the address of the Messages endpoint under a base, as people write it.
func messagesURL(base string) string {
	base = strings.TrimSuffix(strings.TrimRight(base, "/"), "/messages")
	return strings.TrimSuffix(base, "/v1") + "/v1/messages"
}

// failureIn reads the business code and the words of an error, in any of its forms.
func failureIn(text []byte) (code, said string) {
	var e envelope
	if json.Unmarshal(text, &e) != nil {
		return "", ""
	}
	return e.failure()
}

// level looks up the plan's name; "" if it cannot be had.
func (c *caller) level(ctx context.Context, key secret.Value) string {
	if c.QuotaBase == "" {
		return ""
	}
	var quota struct {
		Level string `json:"level"`
	}
	// The quota's server takes the key without a scheme (github.com/zai-org/zai-coding-plugins).
	if err := c.call(ctx, StepTest, http.MethodGet, c.QuotaBase+"/api/monitor/usage/quota/limit", key.Reveal(), nil, &quota); err != nil {
		return ""
	}
	return clip(quota.Level)
}
