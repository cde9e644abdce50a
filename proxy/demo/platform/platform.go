// Package platform is what stands around the models at Z.AI and Bigmodel, for the demo
// upstream: the pages and calls of a login, the management of API keys, the gateway of
// the start plan with its captcha, billing and quota. It answers in the shapes that
// ZCode's own client was seen to get; they are documented nowhere.
//
// Everything lives in memory, bounded, and is forgotten with the process; only the tokens
// of the start plan are signed, so that a later process knows them. Nothing here reaches
// out, and there is no account to protect: who asks gets in.
package platform

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// most bounds what of one kind is remembered; the oldest is forgotten first.
	most = 1000
	// maxBody bounds a request, in bytes. Conversations are not read here.
	maxBody = 64 << 10

	codeLife = 5 * time.Minute
	flowLife = 10 * time.Minute
)

// Options set a Server up. The zero value asks for no captcha.
type Options struct {
	// Now tells the time; nil is time.Now.
	Now func() time.Time
	// Captcha says that the gateway wants a captcha with each request.
	Captcha bool
	// CaptchaHidden says that client/configs does not tell so.
	CaptchaHidden bool
	// Traceless says that the captcha's widget needs no puzzle.
	Traceless bool
	// GatewayChat says that the gateway has its chat path, and not the one of Messages.
	GatewayChat bool
	// Key is a credential that the gateway accepts besides the tokens that it signed, and
	// the only one that the quota accepts besides the keys that were made here. Empty is
	// none at the gateway, and any at the quota.
	Key string
	// NoPlan says that there is no coding plan behind any account: the quota says so.
	NoPlan bool
	// NoPoll says that the poll flow is gone: its paths answer 404.
	NoPoll bool
	// GuestSigned says that the chat site asks for a signature with each message, as the
	// real one does of late.
	GuestSigned bool
	// GuestBlocked says that the chat site's firewall turns programs away.
	GuestBlocked bool
	// Fault, if set, may answer a request in the server's place, as the value Fault does.
	// It returns whether it has. It may be called concurrently.
	Fault func(w http.ResponseWriter, r *http.Request) bool
}

// Server has all faces but the models. It may be used concurrently. Make one with New.
type Server struct {
	opts Options

	mu       sync.Mutex // guards what follows
	codes    shelf[grant]
	flows    shelf[*flow]
	access   shelf[*user] // by access token
	business shelf[*user] // by business token
	keys     shelf[*user] // by whole API key
	revoked  shelf[bool]
	proofs   shelf[bool]  // solved captchas: false is used
	guests   shelf[guest] // by token
	counts   shelf[int]   // requests to models, by hash of their credential
}

// user is whom a login let in.
type user struct {
	id, provider string
	keys         []apiKey
}

type apiKey struct{ name, id, secret string }

func (k apiKey) whole() string { return k.id + "." + k.secret }

// New returns a Server with options.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{opts: o}
}

// Revoke makes an API key, or a token, one that is not accepted any more. A key is in no
// list from then on, as if its holder had deleted it.
func (s *Server) Revoke(credential string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked.put(credential, true)
}

// Revoked reports whether a credential was revoked.
func (s *Server) Revoked(credential string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isRevoked(credential)
}

// isRevoked is Revoked for callers that hold the lock.
func (s *Server) isRevoked(credential string) bool {
	revoked, _ := s.revoked.get(credential)
	return revoked
}

// Issued reports whether an API key or a token of the start plan is one of the demo's,
// and holds.
func (s *Server) Issued(credential string) bool {
	s.mu.Lock()
	_, made := s.keys.get(credential)
	made = made && !s.isRevoked(credential)
	s.mu.Unlock()
	return made || s.knows(credential)
}

// Requests is how many requests to models came with a credential, those included that
// were refused. Of credentials seen before the latest thousand it has forgotten.
func (s *Server) Requests(credential string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := s.counts.get(hashed(credential))
	return n
}

// count counts a request to a model. Only a hash is remembered: the credential may be
// somebody's real one.
func (s *Server) count(credential string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := s.counts.get(hashed(credential))
	s.counts.put(hashed(credential), n+1)
}

func hashed(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return string(sum[:])
}

// Paths lists what there is, for a person.
func Paths() []string {
	var paths []string
	for _, r := range new(Server).routes() {
		paths = append(paths, r.pattern)
	}
	return paths
}

type route struct {
	pattern string
	serve   http.HandlerFunc
}

func (s *Server) routes() []route {
	const keys = "/api/biz/v1/organization/{org}/projects/{project}/api_keys"
	return []route{
		{"GET /api/oauth/authorize", s.authorizeZAI},
		{"GET /login", s.authorizeBigmodel},
		{"GET /_demo/device", s.authorizeFlow},
		{"POST /_demo/decide", s.decide},
		{"POST /api/v1/oauth/token", s.token},
		{"POST /api/v1/oauth/cli/init", s.initFlow},
		{"GET /api/v1/oauth/cli/poll/{flow}", s.pollFlow},
		{"POST /api/auth/z/login", s.businessLogin},
		{"GET /api/biz/customer/getCustomerInfo", s.customer},
		{"GET " + keys, s.listKeys},
		{"POST " + keys, s.createKey},
		{"GET " + keys + "/copy/{key}", s.copyKey},
		{"GET /api/v1/client/configs", s.clientConfigs},
		{"GET /api/v1/agent/configs", s.agentConfigs},
		{"GET /api/v1/zcode-plan/billing/current", s.billingCurrent},
		{"GET /api/v1/zcode-plan/billing/balance", s.billingBalance},
		{"GET /api/v1/zcode-plan/billing/preview", s.billingPreview},
		{"GET /api/monitor/usage/quota/limit", s.quota},
		{"GET /api/monitor/usage/model-usage", s.modelUsage},
		{"GET /api/monitor/usage/tool-usage", s.toolUsage},
		{"GET /captcha/AliyunCaptcha.js", s.widget},
		{"POST /captcha/verify", s.verify},
		{"OPTIONS /captcha/verify", s.verify},
		{"GET /guest/{$}", s.guestSite(s.guestHome)},
		{"GET /guest/api/v1/auths/{$}", s.guestSite(s.guestWho)},
		{"POST /guest/api/v1/auths/guest", s.guestSite(s.guestMake)},
		{"POST /guest/api/chat/completions", s.guestSite(s.guestChat)},
		{"POST /guest/api/v2/chat/completions", s.guestSite(s.guestChat)},
	}
}

// Handler serves the faces, and leaves everything else to models: the paths of the
// gateway after they were checked, with the path that models have.
func (s *Server) Handler(models http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.pattern, r.serve)
	}
	mux.HandleFunc("POST /api/v1/zcode-plan/anthropic/v1/messages", s.gateway(models, false))
	mux.HandleFunc("POST /api/v1/zcode-plan/chat/completions", s.gateway(models, true))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.opts.Fault != nil && s.opts.Fault(w, r) {
			return
		}
		if isFace(r.URL.Path) {
			mux.ServeHTTP(w, r)
			return
		}
		if asksModel(r) {
			s.count(cmp.Or(r.Header.Get("X-Api-Key"), bearer(r)))
		}
		models.ServeHTTP(w, r)
	})
}

// asksModel reports whether a request is one for a model's answer.
func asksModel(r *http.Request) bool {
	path := strings.TrimRight(r.URL.Path, "/")
	return r.Method == http.MethodPost && (strings.HasSuffix(path, "/messages") || strings.HasSuffix(path, "/chat/completions"))
}

// isFace reports whether a path is one of the faces'. The others are not the mux's
// business, which would redirect odd ones.
func isFace(path string) bool {
	for _, at := range []string{
		"/_demo/", "/captcha/", "/api/oauth/", "/api/auth/", "/api/biz/", "/api/monitor/",
		"/api/v1/oauth/", "/api/v1/client/", "/api/v1/agent/", "/api/v1/zcode-plan/", "/guest/", // but not /api/v1/messages
	} {
		if strings.HasPrefix(path, at) {
			return true
		}
	}
	return path == "/login"
}

// shelf remembers the latest things by name.
type shelf[T any] struct {
	things map[string]T
	order  []string
}

func (s *shelf[T]) put(name string, thing T) {
	if s.things == nil {
		s.things = map[string]T{}
	}
	if _, there := s.things[name]; !there {
		if s.order = append(s.order, name); len(s.order) > most {
			delete(s.things, s.order[0])
			s.order = s.order[1:]
		}
	}
	s.things[name] = thing
}

func (s *shelf[T]) get(name string) (T, bool) {
	thing, ok := s.things[name]
	return thing, ok
}

func (s *shelf[T]) drop(name string) {
	if _, there := s.things[name]; there {
		delete(s.things, name)
		at := slices.Index(s.order, name)
		s.order = slices.Delete(s.order, at, at+1)
	}
}

// randomHex returns n random bytes as 2n hex digits.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(b)
}

// reply answers in the envelope of ZCode's own server, whose code of success is 0.
func reply(w http.ResponseWriter, status, code int, msg string, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]any{"code": code, "msg": msg}
	if data != nil {
		body["data"] = data
	}
	_ = json.NewEncoder(w).Encode(body) // a client that is gone gets nothing
}

// platformReply answers in the envelope of the platform, whose code of success is 200.
func platformReply(w http.ResponseWriter, status, code int, msg string, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]any{"code": code, "msg": msg, "success": code == success}
	if data != nil {
		body["data"] = data
	}
	_ = json.NewEncoder(w).Encode(body) // a client that is gone gets nothing
}

// read decodes a request's body, and answers one that is not JSON.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into); err != nil {
		reply(w, http.StatusBadRequest, 3001, "invalid parameters", nil)
		return false
	}
	return true
}

// bearer is the token of the header, "" if there is none or if it has no scheme: who
// forgets the scheme must notice here.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
