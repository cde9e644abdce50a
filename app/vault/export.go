package vault

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// exportWork is what deriving the key of an export costs, 2 to the power of it: a person
// made up the passphrase, so guessing must be slow. It is what the age tool uses.
const exportWork = 18

// ErrPassphrase says that a passphrase does not open a sealed text.
var ErrPassphrase = errors.New("the passphrase is not the one that this file was sealed with")

// ErrNotSealed says that something is no sealed text.
var ErrNotSealed = errors.New("this is no file that glmtray auth export made: it is not sealed with a passphrase")

// SealWith seals a document with a passphrase, as armored age text that `age --decrypt`
// opens too. Errors: an empty passphrase, a document that is too large for a vault. It may
// be called concurrently, takes about a second, and 256 MiB of memory meanwhile.
func SealWith(passphrase string, document []byte) ([]byte, error) {
	return sealWith(passphrase, document, exportWork)
}

func sealWith(passphrase string, document []byte, work int) ([]byte, error) {
	if len(document) > maxBytes {
		return nil, errTooLarge
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(work)
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, recipient)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(document)
	if err = errors.Join(err, w.Close(), text.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// UnsealWith opens what SealWith made, or the age tool, armored or not. Errors are
// ErrPassphrase and ErrNotSealed; the latter too for a text that was cut off or changed.
// It may be called concurrently.
func UnsealWith(passphrase string, sealed []byte) ([]byte, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, ErrPassphrase
	}
	identity.SetMaxWorkFactor(mostWork)
	var source io.Reader = bytes.NewReader(sealed)
	if bytes.HasPrefix(bytes.TrimSpace(sealed), []byte(armor.Header)) {
		source = armor.NewReader(bytes.NewReader(bytes.TrimSpace(sealed)))
	}
	r, err := age.Decrypt(source, identity)
	var foreign *age.NoIdentityMatchError
	switch {
	case errors.As(err, &foreign) && slices.Contains(foreign.StanzaTypes, "scrypt"):
		return nil, ErrPassphrase
	case err != nil:
		return nil, ErrNotSealed
	}
	document, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil || len(document) > maxBytes {
		return nil, ErrNotSealed
	}
	return document, nil
}
