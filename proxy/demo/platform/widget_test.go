package platform_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"glmtray/proxy/demo/platform"
)

// widgetPage uses the widget as a page of another origin does, in each of its ways, and
// writes down what happened.
const widgetPage = `<!doctype html><meta charset="utf-8"><div id="place"></div><button id="trigger">t</button><pre id="out"></pre>
<script>
const load = (address) => new Promise((ok, no) => {
  const s = document.createElement("script");
  s.src = address; s.onload = ok; s.onerror = no; document.head.append(s);
});
const solve = () => document.getElementById("demo-captcha-solve");
const later = (ms) => new Promise((ok) => setTimeout(ok, ms));
const attempt = (options, act) => new Promise((ok) => {
  const told = { shown: false, param: "", failed: false, error: false, left: true };
  const end = (change) => { Object.assign(told, change, { left: place.childElementCount > 0 }); ok(told); };
  initAliyunCaptcha({
    SceneId: "SCENE", mode: "popup", element: "#place", language: "en",
    success: (param) => end({ param }), fail: () => end({ failed: true }), onError: () => end({ error: true }),
    getInstance: async (instance) => {
      await act(instance);
      await later(50);
      if (solve()) { told.shown = true; solve().click(); solve().click(); }
    }, ...options,
  });
});
(async () => {
  const out = {};
  try {
    window.AliyunCaptchaConfig = { region: "REGION", prefix: "PREFIX" };
    await load("WIDGET");
    out.risky = await attempt({}, (i) => i.startTracelessVerification());
    out.shown = await attempt({}, (i) => i.show());
    out.embedded = await attempt({ mode: "embed" }, () => {});
    out.popup = await attempt({ button: "#trigger" }, () => trigger.click());
    out.refreshed = await attempt({}, (i) => { i.show(); i.hide(); i.show(); i.refresh(); });
    out.otherScene = await attempt({ SceneId: "other" }, (i) => i.show());
    out.noPlace = await attempt({ element: "#none" }, () => {});
    await load("WIDGET?traceless=1");
    out.traceless = await attempt({}, (i) => i.startTracelessVerification());
  } catch (error) { out.broken = String(error); }
  document.getElementById("out").textContent = JSON.stringify(out);
})();
</script>`

// seen is what an attempt told its page.
type seen struct {
	Shown, Failed, Error, Left bool
	Param                      string
}

// browse returns what a page of another origin says that has the widget in it.
func browse(t *testing.T, w *world) map[string]seen {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing")
	}
	c := w.captcha()
	text := strings.NewReplacer("SCENE", c.Scene, "REGION", c.Region, "PREFIX", c.Prefix, "WIDGET", w.base+"/captcha/AliyunCaptcha.js").Replace(widgetPage)
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = rw.Write([]byte(text)) // a browser that is gone shows in the result
	}))
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
		"--virtual-time-budget=10000", "--dump-dom", other.URL)
	dom, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)<pre id="out">(.*?)</pre>`).FindSubmatch(dom)
	if found == nil {
		t.Fatalf("no result in\n%s", dom)
	}
	var out map[string]seen
	if err := json.Unmarshal([]byte(html.UnescapeString(string(found[1]))), &out); err != nil {
		t.Fatalf("%v in %s", err, found[1])
	}
	return out
}

func TestWidgetInABrowser(t *testing.T) {
	w := newWorld(t, platform.Options{Captcha: true})
	got := browse(t, w)
	token := w.login("zai").Token
	for name, want := range map[string]seen{
		"risky": {Shown: true}, "shown": {Shown: true}, "embedded": {Shown: true}, "popup": {Shown: true}, "refreshed": {Shown: true},
		"traceless": {},
	} {
		s := got[name]
		if s.Param == "" || s.Shown != want.Shown || s.Failed || s.Error || s.Left {
			t.Errorf("%s: %+v", name, s)
			continue
		}
		for i, status := range []int{200, 400} { // good once
			if a := w.ask(messagesPath, token, s.Param); a.status != status {
				t.Errorf("%s, use %d: %d %s", name, i+1, a.status, a.text)
			}
		}
	}
	if s := got["otherScene"]; !s.Shown || !s.Failed || s.Param != "" {
		t.Errorf("another scene: %+v", s)
	}
	if s := got["noPlace"]; !s.Error || s.Param != "" {
		t.Errorf("an element that is not there: %+v", s)
	}
}

func TestTracelessOption(t *testing.T) {
	for on, want := range map[bool]string{true: "|| true;", false: "|| false;"} {
		w := newWorld(t, platform.Options{Traceless: on})
		a := w.do("GET", "/captcha/AliyunCaptcha.js", "")
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/javascript") || !strings.Contains(a.text, want) || strings.Contains(a.text, "__") {
			t.Errorf("traceless %v:\n%s", on, a.text)
		}
	}
}
