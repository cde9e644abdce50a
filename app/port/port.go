// Package port finds out about TCP ports of this machine: who has one, whether that is
// another GLM Tray, and which one is free.
package port

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	gopsnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// Process is a program that runs.
type Process struct {
	PID  int
	Name string
	Path string // of its executable; "" if that may not be known
}

const (
	// freeTries is how many ports Free looks at.
	freeTries = 100
	// healthTimeout is how long the answer of another GLM Tray may take.
	healthTimeout  = time.Second
	maxHealthBytes = 4 << 10
)

// Holder returns the process that listens on a TCP port, and whether it is known: the
// system may not tell it of another person's process.
func Holder(ctx context.Context, port int) (Process, bool) {
	connections, err := gopsnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return Process{}, false
	}
	for _, c := range connections {
		if c.Status != "LISTEN" || c.Laddr.Port != uint32(port) || c.Pid == 0 {
			continue
		}
		p, err := process.NewProcessWithContext(ctx, c.Pid)
		if err != nil {
			return Process{}, false
		}
		name, err := p.NameWithContext(ctx)
		if err != nil {
			return Process{}, false
		}
		path, err := p.ExeWithContext(ctx)
		if err != nil {
			path = "" // another person's
		}
		return Process{PID: int(c.Pid), Name: name, Path: path}, true
	}
	return Process{}, false
}

// Free returns the first port from from on that can be opened on a host, 0 if there is
// none near.
func Free(host string, from int) int {
	const last = 65535
	for port := from; port < from+freeTries && port <= last; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return port
		}
	}
	return 0
}

// IsUs asks what answers at a base URL whether it is a GLM Tray, and returns its
// version.
func IsUs(ctx context.Context, baseURL string) (version string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/health", nil)
	if err != nil {
		return "", false
	}
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxHealthBytes))
	var answer struct{ Status, Version, Provider, Plan string }
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.Status != "ok" {
		return "", false
	}
	// Other programs answer "ok" too; the plan is ours alone. With a proxy key the
	// health page tells a stranger nothing, and we do not claim to know.
	return answer.Version, answer.Version != "" && answer.Plan != ""
}
