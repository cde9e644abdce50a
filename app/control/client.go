package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"glmtray/app/journal"
	"glmtray/app/state"
)

const (
	// answerTimeout is how long an instance may take for an answer.
	answerTimeout = 10 * time.Second
	// maxAnswerBytes bounds an answer, which something else may give in its place.
	maxAnswerBytes = 1 << 20
	// waitStep is how often Wait looks.
	waitStep = 50 * time.Millisecond
)

// ErrNotRunning says that there is no instance to talk to.
var ErrNotRunning = errors.New("GLM Tray does not run")

// Client talks to a running instance. Its methods may be called concurrently.
type Client struct {
	dir  string
	at   address
	http *http.Client
}

// Find looks for the instance that holds the lock in a state folder. The error is
// ErrNotRunning if there is none; other errors say what is wrong with its address.
func Find(dir string) (*Client, error) {
	if free(dir) {
		return nil, ErrNotRunning
	}
	at, err := readAddress(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning // it is about to start, or about to end
	}
	if err != nil {
		return nil, err
	}
	// The environment's proxy has no business between two of our own.
	return &Client{dir: dir, at: at, http: &http.Client{Transport: &http.Transport{Proxy: nil}}}, nil
}

// free reports whether nobody holds the lock: what a file says of a process that has
// died is not believed.
func free(dir string) bool {
	name := filepath.Join(dir, lockName)
	if _, err := os.Stat(name); err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	lock := flock.New(name)
	got, err := lock.TryRLock()
	if err != nil || !got {
		return false
	}
	return lock.Unlock() == nil
}

// Status returns how things stand.
func (c *Client) Status(ctx context.Context) (state.Snapshot, error) {
	var s state.Snapshot
	err := c.call(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Start starts the proxy.
func (c *Client) Start(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/start", nil, nil)
}

// Stop stops the proxy; running requests have their grace period.
func (c *Client) Stop(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/stop", nil, nil)
}

// Quit asks the instance to end. Wait waits for it.
func (c *Client) Quit(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/quit", nil, nil)
}

// OpenLink returns a one-time address of the log window, at a page.
func (c *Client) OpenLink(ctx context.Context, page string) (string, error) {
	var link string
	err := c.call(ctx, http.MethodPost, "/open", map[string]string{"page": page}, &link)
	return link, err
}

// Wait returns when the instance has gone, or with ctx's error.
func (c *Client) Wait(ctx context.Context) error {
	for !free(c.dir) {
		select {
		case <-time.After(waitStep):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Logs hands the lines of the log to yield, and with follow those to come as well,
// until ctx, the instance or yield ends it. The instance's end is no error.
func (c *Client) Logs(ctx context.Context, follow bool, yield func(journal.Line) error) error {
	path := "/logs"
	if follow {
		path += "?follow=1"
	}
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(resp.Body); ; {
		var line journal.Line
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && follow:
			return nil
		case err != nil:
			return err
		}
		if err := yield(line); err != nil {
			return err
		}
	}
}

// call sends a request and reads its answer into out.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("what answers at %s is not GLM Tray", c.at.Address)
	}
	return nil
}

// send sends a request, and returns an answer only if it is a good one.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	if in == nil {
		in = struct{}{}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.at.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.at.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("GLM Tray does not answer at %s: %w", c.at.Address, errors.Unwrap(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	return nil, errors.Join(errors.New(strings.TrimSpace(string(text))), err)
}
