// Package control makes the program the only one of its kind in a person's account, and
// gives it a private address by which the command line, and a second start, talk to it.
//
// [Acquire] takes the lock; [Instance.Serve] opens the address and writes it, with a
// token that only the person's own programs can read, beside the lock. [Find] is the
// other side. The address is HTTP on loopback: it works alike on every system.
package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"glmtray/app/journal"
	"glmtray/app/state"
)

const (
	lockName    = "glmtray.lock"
	addressName = "control.json"
	tokenBytes  = 32
	// maxAddressBytes bounds what is read from a file that something else may have
	// written.
	maxAddressBytes = 4 << 10
	headerTimeout   = 5 * time.Second
	closeTimeout    = time.Second
)

// ErrTaken says that another process of this person's has the lock.
var ErrTaken = errors.New("GLM Tray runs already")

// App is what an instance can be asked and told.
type App interface {
	Snapshot() state.Snapshot
	StartProxy(ctx context.Context) error
	StopProxy(ctx context.Context) error
	// OpenLink returns a one-time address of the log window, at a page.
	OpenLink(page string) (string, error)
	Quit()
	Journal() *journal.Lines
}

// address is what the file says of a running instance.
type address struct {
	Address string `json:"address"` // host:port
	Token   string `json:"token"`
	PID     int    `json:"pid"`
}

// Instance is the holder of the lock. Its methods may be called concurrently.
type Instance struct {
	dir  string
	lock *flock.Flock

	mu     sync.Mutex // guards what follows
	server *http.Server
	end    context.CancelFunc
}

// Acquire takes the lock in the person's state folder, which it creates. The error is
// ErrTaken if somebody else has it, or says why the folder cannot be written.
func Acquire(dir string) (*Instance, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !got {
		return nil, ErrTaken
	}
	return &Instance{dir: dir, lock: lock}, nil
}

// Serve opens the control address and writes it to its file. It returns at once; the
// address is served until Close.
func (i *Instance) Serve(app App) error {
	random := make([]byte, tokenBytes)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := address{Address: l.Addr().String(), Token: hex.EncodeToString(random), PID: os.Getpid()}
	ctx, end := context.WithCancel(context.Background())
	server := &http.Server{
		Handler: newHandler(app, at), ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	if err := writeAddress(i.dir, at); err != nil {
		end()
		return errors.Join(err, l.Close())
	}
	i.mu.Lock()
	i.server, i.end = server, end
	i.mu.Unlock()
	go func() {
		// Its end by Close is the only one that it has.
		_ = server.Serve(l)
	}()
	return nil
}

// writeAddress writes the file whole or not at all, for its owner only.
func writeAddress(dir string, at address) error {
	text, err := json.Marshal(at)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, addressName+".*.tmp") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, addressName))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// readAddress reads what a running instance wrote.
func readAddress(dir string) (address, error) {
	name := filepath.Join(dir, addressName)
	info, err := os.Stat(name)
	if err != nil {
		return address{}, err
	}
	if info.Size() > maxAddressBytes {
		return address{}, fmt.Errorf("%s is not ours: it is too large", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return address{}, err
	}
	var at address
	if err := json.Unmarshal(text, &at); err != nil {
		return address{}, fmt.Errorf("%s is damaged; it is written anew at the next start", name)
	}
	host, _, err := net.SplitHostPort(at.Address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() || at.Token == "" {
		return address{}, fmt.Errorf("%s is damaged; it is written anew at the next start", name)
	}
	return at, nil
}

// Close closes the address, removes its file, and gives the lock back.
func (i *Instance) Close() error {
	i.mu.Lock()
	server, end := i.server, i.end
	i.server = nil
	i.mu.Unlock()
	var errs []error
	if server != nil {
		if err := os.Remove(filepath.Join(i.dir, addressName)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		end() // those who follow the log
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			errs = append(errs, server.Close())
		}
	}
	return errors.Join(append(errs, i.lock.Unlock())...)
}
