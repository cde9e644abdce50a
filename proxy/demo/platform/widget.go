package platform

import (
	_ "embed"
	"net/http"
	"strconv"
	"strings"
)

//go:embed widget.js
var widgetScript string

// widget serves the stand-in for the captcha's script.
func (s *Server) widget(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	script := strings.ReplaceAll(widgetScript, "__TRACELESS__", strconv.FormatBool(s.opts.Traceless))
	_, _ = w.Write([]byte(script)) // a browser that is gone gets nothing
}
