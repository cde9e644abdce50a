package window

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// contentType returns the type of a page's file. The system's own table is not asked:
// on Windows any program may have changed it, and a module of another type than
// JavaScript is not run.
func contentType(name string) (string, error) {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8", nil
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("%s: nothing says what type of file that is", name)
}

// servePages gives each file a route of its own, so that there are no lists of folders
// and what does not exist is not found.
func servePages(mux *http.ServeMux, pages fs.FS) error {
	return fs.WalkDir(pages, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(pages, name)
		if err != nil {
			return err
		}
		kind, err := contentType(name)
		if err != nil {
			return err
		}
		route := "GET /" + name
		if name == "index.html" {
			route = "GET /{$}"
		}
		mux.HandleFunc(route, page(content, kind))
		return nil
	})
}

// page answers with a file. A browser that has it asks each time whether it is still
// the same.
func page(content []byte, kind string) http.HandlerFunc {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}
