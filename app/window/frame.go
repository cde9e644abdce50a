package window

import (
	"io/fs"
	"net"
	"net/http"
	"strings"

	"glmtray/assets"
)

// frame serves the page that the captcha's widget runs in: a script from outside, which
// must not reach the window's own pages. So it has a port, and with it an origin, of its
// own. That page has no secret, no cookie and no way to the application; it tells the
// window what the widget handed over, by a message.
type frame struct {
	origin string
	server *http.Server
}

// framePolicy lets the widget load what it wants, from anywhere: which hosts it uses is
// its maker's to change. It is shown by the window alone.
const framePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' https: http://127.0.0.1:*; " +
	"style-src 'self' 'unsafe-inline' https:; img-src https: data: blob:; font-src https: data:; media-src https: data: blob:; " +
	"connect-src https: http://127.0.0.1:*; frame-src https:; worker-src blob: https:; frame-ancestors "

// openFrame opens the port for a window on another.
func openFrame(windowPort string) (*frame, error) {
	files, err := fs.Sub(assets.Frame, "frame")
	if err != nil {
		return nil, err
	}
	page, err := fs.ReadFile(files, "frame.html")
	if err != nil {
		return nil, err
	}
	script, err := fs.ReadFile(files, "frame.js")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return nil, err
	}
	window := "http://" + loopback + ":" + windowPort
	f := &frame{origin: "http://" + l.Addr().String()}
	mux := http.NewServeMux()
	give := func(path, kind string, text []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if "http://"+r.Host != f.origin {
				http.Error(w, "this is not "+f.origin, http.StatusForbidden)
				return
			}
			h := w.Header()
			h.Set("Content-Type", kind)
			h.Set("Content-Security-Policy", framePolicy+window)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-store")
			_, _ = w.Write(text) // a browser that is gone gets nothing
		})
	}
	give("/{$}", "text/html; charset=utf-8", []byte(strings.ReplaceAll(string(page), "WINDOW_ORIGIN", window)))
	give("/frame.js", "text/javascript; charset=utf-8", script)
	f.server = &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes}
	go func() { _ = f.server.Serve(l) }() // its end by close is the only one that it has
	return f, nil
}

func (f *frame) close() error { return f.server.Close() }
