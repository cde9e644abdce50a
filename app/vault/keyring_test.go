package vault

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// fakeKeyring is a keyring in memory, with the faults that real ones have. Its fields
// are set before it is used.
type fakeKeyring struct {
	fails   error         // what each call says
	forgets bool          // Set says yes and keeps nothing
	broken  bool          // each call panics, as the library does when the bus goes away
	answer  string        // if not "", what Get says in place of what was Set
	prompt  chan struct{} // if not nil, each call waits until it is closed
	asked   chan struct{} // if not nil, is told of each Get

	mu                  sync.Mutex
	items               map[string]string
	gets, sets, deletes int
}

func (k *fakeKeyring) call(count *int) error {
	k.mu.Lock()
	*count++
	prompt, fails := k.prompt, k.fails
	k.mu.Unlock()
	if count == &k.gets && k.asked != nil {
		k.asked <- struct{}{}
	}
	if k.broken {
		panic("PLANTED: a nil signal")
	}
	if prompt != nil {
		<-prompt
	}
	return fails
}

func (k *fakeKeyring) Get(id string) (string, error) {
	if err := k.call(&k.gets); err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answer != "" {
		return k.answer, nil
	}
	if text, ok := k.items[id]; ok {
		return text, nil
	}
	return "", ErrNoItem
}

func (k *fakeKeyring) Set(id, text string) error {
	if err := k.call(&k.sets); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.items == nil {
		k.items = map[string]string{}
	}
	if !k.forgets {
		k.items[id] = text
	}
	return nil
}

func (k *fakeKeyring) Delete(id string) error {
	if err := k.call(&k.deletes); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.items, id)
	return nil
}

func (k *fakeKeyring) calls() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.gets + k.sets + k.deletes
}

// lock makes all calls fail; nil unlocks.
func (k *fakeKeyring) lock(fails error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fails = fails
}

// quick is the limit in tests whose keyring never answers.
const quick = 20 * time.Millisecond

func TestKeyringAskedOnce(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	mustSet(t, newVault(t, dir, keys), "old")
	keys.gets, keys.sets = 0, 0
	v := newVault(t, dir, keys)
	for range 5 {
		load(t, v)
		mustSet(t, v, "new")
	}
	if keys.gets != 1 || keys.sets != 0 {
		t.Errorf("%d questions, %d answers kept; want one question", keys.gets, keys.sets)
	}
	// A damaged vault and its backup need the one key.
	keys.gets = 0
	v = newVault(t, dir, keys)
	write(t, v.File(), flip(read(t, v.File()), len(read(t, v.File()))-1))
	if got, err := v.Load(t.Context()); string(got) != "new" {
		t.Fatalf("%q, %v", got, err)
	}
	if keys.gets != 1 {
		t.Errorf("%d questions for a damaged vault", keys.gets)
	}
}

// What cannot keep a key leaves it to the file, and the vault works all the same.
func TestKeyringUnfit(t *testing.T) {
	for name, keys := range map[string]*fakeKeyring{
		"missing": none(),
		"locked":  {fails: errors.New("failed to unlock correct collection")},
		"forgets": {forgets: true},
		"blocks":  {prompt: make(chan struct{})},
		"mangles": {answer: "AGE-SECRET-KEY-1OTHER"},
		"broken":  {broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := New(Options{Dir: dir, Env: noEnv, Keyring: keys, KeyringLimit: quick})
			mustSet(t, v, "text")
			if v.Where() != InFile {
				t.Errorf("key in %q", v.Where())
			}
			wantNames(t, dir, "vault.age", "vault.key", "vault.lock")
			asked := keys.calls()
			next := New(Options{Dir: dir, Env: noEnv, Keyring: keys, KeyringLimit: quick})
			if got := load(t, next); got != "text" || next.Where() != InFile {
				t.Errorf("%q, key in %q", got, next.Where())
			}
			if keys.calls() != asked {
				t.Error("the keyring was asked though the key lies in the file")
			}
			if keys.prompt != nil {
				close(keys.prompt)
			}
		})
	}
}

// The keyring that had the key does not give it: nothing is lost, and nothing replaced.
func TestKeyringLocked(t *testing.T) {
	for name, keys := range map[string]*fakeKeyring{
		"locked": {fails: errors.New("PLANTED failed to unlock correct collection")},
		"blocks": {prompt: make(chan struct{})},
		"broken": {broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, good := t.TempDir(), &fakeKeyring{}
			mustSet(t, newVault(t, dir, good), "text")
			keys.items = good.items
			v := New(Options{Dir: dir, Env: noEnv, Keyring: keys, KeyringLimit: quick})
			before := read(t, v.File())
			got, err := v.Load(t.Context())
			if !errors.Is(err, ErrLocked) || got != nil {
				t.Errorf("%q, %v", got, err)
			}
			silent(t, err)
			for _, document := range []string{"new", ""} {
				if _, err := set(v, document); !errors.Is(err, ErrLocked) {
					t.Errorf("Update: %v", err)
				}
			}
			if string(read(t, v.File())) != string(before) {
				t.Error("the vault changed")
			}
			if keys.prompt != nil {
				close(keys.prompt)
			}
			keys.lock(nil)
			if name != "broken" && load(t, v) != "text" {
				t.Error("unlocked, it does not open")
			}
		})
	}
}

// While a prompt is open there is no second one, and its answer is not thrown away.
func TestKeyringPromptOnce(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	mustSet(t, newVault(t, dir, keys), "text")
	keys.gets = 0
	keys.prompt = make(chan struct{})
	v := New(Options{Dir: dir, Env: noEnv, Keyring: keys, KeyringLimit: quick})
	for range 3 {
		if _, err := v.Load(t.Context()); !errors.Is(err, ErrLocked) {
			t.Fatalf("error %v", err)
		}
	}
	close(keys.prompt)
	<-v.asked.answered
	if got := load(t, v); got != "text" || keys.gets != 1 {
		t.Errorf("%q after %d prompts", got, keys.gets)
	}
}

// A person who looks for the password must not freeze what only wants to know.
func TestKeyringDoesNotHoldOthers(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	mustSet(t, newVault(t, dir, keys), "text")
	keys.prompt, keys.asked = make(chan struct{}), make(chan struct{}, 1)
	v := New(Options{Dir: dir, Env: noEnv, Keyring: keys})
	var first sync.WaitGroup
	first.Go(func() {
		if text, err := v.Load(context.Background()); err != nil || string(text) != "text" {
			t.Errorf("%q, %v", text, err)
		}
	})
	<-keys.asked
	if v.Where() != "" {
		t.Error("a key before there was one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), quick)
	defer cancel()
	if _, err := v.Load(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if _, err := v.Update(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	close(keys.prompt)
	first.Wait()
}

func TestKeyringCancel(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	mustSet(t, newVault(t, dir, keys), "text")
	keys.prompt, keys.asked = make(chan struct{}), make(chan struct{}, 2)
	defer close(keys.prompt)
	for name, call := range map[string]func(context.Context, *Vault) error{
		"Load": func(ctx context.Context, v *Vault) error { _, err := v.Load(ctx); return err },
		"Update": func(ctx context.Context, v *Vault) error {
			_, err := v.Update(ctx, func([]byte) ([]byte, error) { return nil, errors.New("must not be asked") })
			return err
		},
	} {
		v := New(Options{Dir: dir, Env: noEnv, Keyring: keys})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-keys.asked; cancel() }()
		if err := call(ctx, v); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if _, err := v.Load(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: with a context that ended: %v", name, err)
		}
	}
}

// A login that is given up while the keyring prompts saves nothing, and no key file.
func TestKeyringCancelFirst(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{prompt: make(chan struct{})}
	defer close(keys.prompt)
	v := New(Options{Dir: dir, Env: noEnv, Keyring: keys})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := v.Update(ctx, func([]byte) ([]byte, error) { cancel(); return []byte("text"), nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	wantNames(t, dir, "vault.lock")
}

// One Vault serves many at once; run with -race.
func TestConcurrent(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	const writers, rounds = 4, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range rounds {
				_, err := v.Update(context.Background(), func(old []byte) ([]byte, error) { return append(old, '.'), nil })
				if err != nil {
					t.Error(err)
				}
				if _, err := v.Load(context.Background()); err != nil {
					t.Error(err)
				}
				v.Where()
			}
		})
	}
	all.Wait()
	if got := load(t, newVault(t, dir, keys)); len(got) != writers*rounds || keys.sets != 1 {
		t.Errorf("%d changes of %d are there, %d keys were made", len(got), writers*rounds, keys.sets)
	}
}
