package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"glmtray/proxy/secret"
)

// ZCode is a home folder of the ZCode desktop app, to take its accounts over. It is only
// read. The app's files are not documented; several programs that read them agree on
// their form.
type ZCode struct {
	// Dir is the folder: ~/.zcode, or what ZCODE_STORAGE_DIR or ZCODE_HOME name.
	Dir string
	// Home and User are the person's home folder and login name, Secret is
	// ZCODE_CREDENTIAL_SECRET: the stored tokens are encrypted with one or the other.
	Home, User, Secret string
}

// FindZCode returns the app's folder. env looks up an environment variable.
func FindZCode(env func(string) string) (ZCode, error) {
	home := env("HOME")
	if runtime.GOOS == "windows" {
		home = env("USERPROFILE")
	}
	z := ZCode{Home: home, User: first(env("USER"), env("USERNAME")), Secret: env("ZCODE_CREDENTIAL_SECRET")}
	z.Dir = first(env("ZCODE_STORAGE_DIR"), env("ZCODE_HOME"))
	if z.Dir == "" {
		if home == "" {
			return z, errors.New("the home folder is not known; set ZCODE_HOME to the folder of the ZCode app")
		}
		z.Dir = filepath.Join(home, ".zcode")
	}
	return z, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// ErrNothingToImport says that there is no account in a folder of the app.
var ErrNothingToImport = errors.New("there is no account of the ZCode app; log in there first, or use: glmtray auth login")

// maxZCodeFile bounds a file of the app, in bytes.
const maxZCodeFile = 4 << 20

// Accounts reads the accounts of the app: those of its config file, and where that has
// none of a provider, what can be decrypted of its stored tokens. notes say what could
// not be read. The error is ErrNothingToImport if there is nothing.
func (z ZCode) Accounts() (accounts []Account, notes []string, err error) {
	found := map[string]*Account{}
	of := func(provider string) *Account {
		if found[provider] == nil {
			found[provider] = &Account{Provider: provider, Kind: Import}
		}
		return found[provider]
	}
	config := filepath.Join(z.Dir, "v2", "config.json")
	if err := z.readConfig(config, of); err != nil {
		notes = append(notes, note(config, err))
	}
	stored := filepath.Join(z.Dir, "v2", "credentials.json")
	if err := z.readStored(stored, of); err != nil && !errors.Is(err, fs.ErrNotExist) {
		notes = append(notes, note(stored, err))
	}
	for _, provider := range []string{"zai", "bigmodel"} {
		if a := found[provider]; a != nil && (!a.Key.Empty() || !a.JWT.Empty() || !a.Access.Empty()) {
			a.Name, a.UserID = nameOf(*a)+" (ZCode)", UserOf(a.JWT)
			accounts = append(accounts, *a)
		}
	}
	if len(accounts) == 0 {
		return nil, notes, fmt.Errorf("%w (looked in %s)", ErrNothingToImport, z.Dir)
	}
	return accounts, notes, nil
}

func note(name string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return name + " does not exist"
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // it has the name too
	}
	return name + ": " + err.Error()
}

var errZCodeForm = errors.New("has another form than expected")

// readJSON reads a file of the app. Errors never repeat what is in it.
func readJSON(name string, out any) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxZCodeFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxZCodeFile || json.Unmarshal(text, out) != nil {
		return errZCodeForm
	}
	return nil
}

// readConfig reads the providers' entries, whose keys are plain. The key of the start
// plan's entry is its token.
func (z ZCode) readConfig(name string, of func(string) *Account) error {
	var config struct {
		// An entry that a person made may have any form, and is none of ours.
		Provider map[string]json.RawMessage `json:"provider"`
	}
	if err := readJSON(name, &config); err != nil {
		return err
	}
	var failures []string
	parse := func(entry string) (key, jwt secret.Value) {
		var e struct {
			Options struct {
				APIKey string `json:"apiKey"`
			} `json:"options"`
		}
		text, there := config.Provider[entry]
		if !there {
			return key, jwt
		}
		if json.Unmarshal(text, &e) != nil {
			failures = append(failures, entry+" "+errZCodeForm.Error())
			return key, jwt
		}
		key, jwt, err := ParseKey(e.Options.APIKey, false)
		if err != nil && !errors.Is(err, ErrNoKey) {
			failures = append(failures, entry+": "+err.Error())
		}
		return key, jwt
	}
	for _, provider := range []string{"zai", "bigmodel"} {
		if key, _ := parse("builtin:" + provider + "-coding-plan"); !key.Empty() {
			of(provider).Key = key
		}
		if _, jwt := parse("builtin:" + provider + "-start-plan"); !jwt.Empty() {
			of(provider).JWT = jwt
		}
	}
	if len(failures) > 0 {
		return errors.New(strings.Join(failures, "; "))
	}
	return nil
}

// readStored reads the stored tokens, as far as they can be decrypted.
func (z ZCode) readStored(name string, of func(string) *Account) error {
	var stored map[string]any
	if err := readJSON(name, &stored); err != nil {
		return err
	}
	unreadable := 0
	get := func(key string) secret.Value {
		text, _ := stored[key].(string)
		if text == "" {
			return secret.Value{}
		}
		plain, err := z.decrypt(text)
		if err != nil {
			unreadable++
			return secret.Value{}
		}
		token, jwt, err := ParseKey(plain, true) // what no header could hold is no token
		if err != nil {
			unreadable++
		}
		if token.Empty() {
			return jwt
		}
		return token
	}
	active := get("oauth:active_provider").Reveal()
	for _, provider := range []string{"zai", "bigmodel"} {
		if access := get("oauth:" + provider + ":access_token"); !access.Empty() {
			a := of(provider)
			a.Access, a.Refresh = access, get("oauth:"+provider+":refresh_token")
		}
	}
	if active != "bigmodel" {
		active = "zai"
	}
	if a := of(active); a.JWT.Empty() {
		a.JWT = get("zcodejwttoken")
	}
	if unreadable > 0 {
		return fmt.Errorf("tokens that cannot be read: %d; they may be encrypted with a key that is not known here", unreadable)
	}
	return nil
}

// encryptedPrefix marks an encrypted value; initialization vector, tag and text follow,
// each in base64url, with dots between them. It is AES-256-GCM.
const encryptedPrefix = "enc:v1:"

func (z ZCode) decrypt(value string) (string, error) {
	parts, ok := strings.CutPrefix(value, encryptedPrefix)
	if !ok {
		return value, nil
	}
	var raw [3][]byte
	fields := strings.Split(parts, ".")
	if len(fields) != len(raw) {
		return "", errors.New("another form than expected")
	}
	for i, field := range fields {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(strings.TrimRight(field, "=")); err != nil {
			return "", errors.New("another form than expected")
		}
	}
	block, err := aes.NewCipher(z.key())
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(raw[0])) // an empty nonce is an error here, and would be a panic later
	if err != nil {
		return "", err
	}
	plain, err := gcm.Open(nil, raw[0], append(raw[2], raw[1]...), nil)
	if err != nil {
		return "", errors.New("encrypted with another key")
	}
	return string(plain), nil
}

// key is what the app encrypts with: a secret of the environment, else a text that
// stands for the machine's user, by node's name of the platform.
func (z ZCode) key() []byte {
	text := z.Secret
	if text == "" {
		platform := runtime.GOOS
		if platform == "windows" {
			platform = "win32"
		}
		text = "zcode-credential-fallback:" + platform + ":" + z.Home + ":" + z.User
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
