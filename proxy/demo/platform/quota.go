package platform

import (
	"net/http"
	"strings"
	"time"
)

// planned checks a call about the coding plan, which takes a key with and without Bearer,
// and no token of the start plan. It has answered if ok is false.
func (s *Server) planned(w http.ResponseWriter, r *http.Request) (key string, ok bool) {
	key = r.Header.Get("Authorization")
	if b := bearer(r); b != "" {
		key = b
	}
	other := s.opts.Key != "" && !s.Issued(key)
	switch {
	case key == "", strings.ContainsAny(key, " \t"), s.Revoked(key), s.signed(key), other:
		platformReply(w, http.StatusOK, badToken, "token expired or incorrect", nil)
		return "", false
	case s.opts.NoPlan:
		platformReply(w, http.StatusOK, 500, "当前用户不存在coding plan", nil)
		return "", false
	}
	return key, true
}

// quota is the coding plan's: the five hours, the week, and the month of the tools. Every
// request to a model moves it on.
func (s *Server) quota(w http.ResponseWriter, r *http.Request) {
	key, ok := s.planned(w, r)
	if !ok {
		return
	}
	const full, session, week, weekly = 100, 12, 40, 10 // percent; requests for a percent of the week
	n := s.Requests(key)
	ms := func(hours int64) int64 { return s.opts.Now().UnixMilli() + hours*3_600_000 }
	platformReply(w, http.StatusOK, success, "Operation successful", map[string]any{"level": "pro", "limits": []map[string]any{
		{"type": "TOKENS_LIMIT", "unit": 3, "number": 5, "percentage": min(session+n, full), "nextResetTime": ms(3)},
		{"type": "TOKENS_LIMIT", "unit": 6, "number": 1, "percentage": min(week+n/weekly, full), "nextResetTime": ms(80)},
		{"type": "TIME_LIMIT", "unit": 5, "number": 1, "usage": 1000, "currentValue": 37, "remaining": 963, "percentage": 3, "nextResetTime": ms(400),
			"usageDetails": []map[string]any{{"modelCode": "search-prime", "usage": 30}, {"modelCode": "web-reader", "usage": 7}, {"modelCode": "zread", "usage": 0}}},
	}})
}

// maxPoints bounds how many points a series has.
const maxPoints = 48

// series divides the span that is asked about into hours, or into days where those were
// too many. It has answered if times is nil.
func (s *Server) series(w http.ResponseWriter, r *http.Request) (times []string) {
	if _, ok := s.planned(w, r); !ok {
		return nil
	}
	q := r.URL.Query()
	from, err := time.ParseInLocation(time.DateTime, q.Get("startTime"), beijing)
	to, errTo := time.ParseInLocation(time.DateTime, q.Get("endTime"), beijing)
	if err != nil || errTo != nil || to.Before(from) {
		platformReply(w, http.StatusOK, 500, "startTime and endTime must be yyyy-MM-dd HH:mm:ss", nil)
		return nil
	}
	step := time.Hour
	if to.Sub(from) >= maxPoints*time.Hour {
		step = 24 * time.Hour
	}
	for t := from; !t.After(to) && len(times) < maxPoints; t = t.Add(step) {
		times = append(times, t.Format("2006-01-02 15:04"))
	}
	return times
}

// rising is a made-up series that goes up by step and begins again each day.
func rising(n, step int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i % 24 * step
	}
	return numbers
}

func (s *Server) modelUsage(w http.ResponseWriter, r *http.Request) {
	times := s.series(w, r)
	if times == nil {
		return
	}
	platformReply(w, http.StatusOK, success, "Operation successful", map[string]any{"x_time": times, "modelDataList": []map[string]any{
		{"modelName": bigModel, "tokensUsage": rising(len(times), 1200)}, {"modelName": smallModel, "tokensUsage": rising(len(times), 300)},
	}})
}

// toolUsage has the aggregate form with parallel arrays. Their names are known of no real
// answer; a client has to be tolerant here.
func (s *Server) toolUsage(w http.ResponseWriter, r *http.Request) {
	times := s.series(w, r)
	if times == nil {
		return
	}
	platformReply(w, http.StatusOK, success, "Operation successful", map[string]any{
		"x_time": times, "networkSearchCount": rising(len(times), 2), "webReadMcpCount": rising(len(times), 1), "zreadMcpCount": make([]int, len(times)),
	})
}
