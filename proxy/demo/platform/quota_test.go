package platform_test

import (
	"net/url"
	"testing"

	"glmtray/proxy/demo/platform"
)

const quotaPath = "/api/monitor/usage/quota/limit"

func TestQuota(t *testing.T) {
	w := newWorld(t, platform.Options{})
	type limit struct {
		Type         string           `json:"type"`
		Unit, Number int              ``
		Percentage   *int             `json:"percentage"`
		Reset        int64            `json:"nextResetTime"`
		Usage        *int             `json:"usage"`
		Details      []map[string]any `json:"usageDetails"`
	}
	ask := func(auth string) (got struct {
		Level  string  `json:"level"`
		Limits []limit `json:"limits"`
	}) {
		a := w.do("GET", quotaPath, "", "Authorization", auth)
		if a.status != 200 || a.Code != 200 || a.OK == nil || !*a.OK {
			t.Fatalf("%d %s", a.status, a.text)
		}
		a.into(t, &got)
		return got
	}
	raw, bearer := ask("a.b"), ask("Bearer a.b")
	if raw.Level != "pro" || len(raw.Limits) != 3 || len(bearer.Limits) != 3 {
		t.Fatalf("%+v", raw)
	}
	for i, want := range []limit{{Type: "TOKENS_LIMIT", Unit: 3, Number: 5}, {Type: "TOKENS_LIMIT", Unit: 6, Number: 1}, {Type: "TIME_LIMIT", Unit: 5, Number: 1}} {
		got := raw.Limits[i]
		if got.Type != want.Type || got.Unit != want.Unit || got.Number != want.Number || got.Percentage == nil || got.Reset <= w.time().UnixMilli() || (got.Usage != nil) != (want.Unit == 5) {
			t.Errorf("limit %d: %+v", i, got)
		}
	}
	if len(raw.Limits[2].Details) != 3 {
		t.Errorf("tools: %+v", raw.Limits[2])
	}
	w.do("POST", "/v1/messages", "x", "X-Api-Key", "a.b")
	if after := ask("a.b"); *after.Limits[0].Percentage != *raw.Limits[0].Percentage+1 {
		t.Errorf("a request does not count: %d", *after.Limits[0].Percentage)
	}
}

func TestQuotaRefuses(t *testing.T) {
	w := newWorld(t, platform.Options{Key: "the.key"})
	l := w.login("zai")
	auth := w.manager("zai", l)
	made := w.makeKey(w.keysPath(auth), auth, "k")
	gone := w.makeKey(w.keysPath(auth), auth, "k")
	w.Revoke(gone)
	for auth, code := range map[string]int{
		"the.key": 200, made: 200, "Bearer " + made: 200,
		"": 401, "other.key": 401, gone: 401, "Bearer " + gone: 401, l.Token: 401, "Bearer " + l.Token: 401, "Basic " + made: 401,
	} {
		a := w.do("GET", quotaPath, "", "Authorization", auth)
		if a.Code != code || *a.OK != (code == 200) || code != 200 && a.Data != nil {
			t.Errorf("code %d wanted: %s", code, a.text)
		}
	}
	w = newWorld(t, platform.Options{NoPlan: true})
	if a := w.do("GET", quotaPath, "", "Authorization", "a.b"); a.status != 200 || a.Code != 500 || a.Msg != "当前用户不存在coding plan" || *a.OK {
		t.Errorf("no plan: %d %s", a.status, a.text)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t, platform.Options{})
	span := func(from, to string) string {
		return "?startTime=" + url.PathEscape(from) + "&endTime=" + url.PathEscape(to)
	}
	tests := []struct {
		from, to string
		points   int // 0: refused
	}{
		{"2026-10-01 00:00:00", "2026-10-01 23:59:59", 24},
		{"2026-10-01 00:00:00", "2026-10-01 00:00:00", 1},
		{"2026-10-01 00:00:00", "2026-10-07 23:59:59", 7},
		{"2020-01-01 00:00:00", "2026-10-07 23:59:59", 48},
		{"2026-10-02 00:00:00", "2026-10-01 00:00:00", 0},
		{"2026-10-01", "2026-10-02", 0},
		{"", "", 0},
	}
	for _, test := range tests {
		a := w.do("GET", "/api/monitor/usage/model-usage"+span(test.from, test.to), "", "Authorization", "a.b")
		if test.points == 0 {
			if a.status != 200 || a.Code != 500 || *a.OK {
				t.Errorf("%s to %s: %s", test.from, test.to, a.text)
			}
			continue
		}
		var got struct {
			Times  []string `json:"x_time"`
			Models []struct {
				Name   string `json:"modelName"`
				Tokens []int  `json:"tokensUsage"`
			} `json:"modelDataList"`
		}
		a.into(t, &got)
		if len(got.Times) != test.points || len(got.Models) == 0 || len(got.Models[0].Tokens) != test.points || got.Models[0].Name == "" {
			t.Errorf("%s to %s: %s", test.from, test.to, a.text)
		}
		a = w.do("GET", "/api/monitor/usage/tool-usage"+span(test.from, test.to), "", "Authorization", "Bearer a.b")
		var tools map[string][]any
		a.into(t, &tools)
		for name, values := range tools {
			if len(values) != test.points {
				t.Errorf("%s: %d values of %d", name, len(values), test.points)
			}
		}
	}
	for _, path := range []string{"model-usage", "tool-usage"} {
		if a := w.do("GET", "/api/monitor/usage/"+path+span("2026-10-01 00:00:00", "2026-10-01 01:00:00"), ""); a.Code != 401 {
			t.Errorf("%s without a key: %s", path, a.text)
		}
	}
}
