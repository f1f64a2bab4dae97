package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// What a keyring entry holds, before the colon that the token follows, is a
// fingerprint of the token's kind and the client it was issued to. The entry may
// be newer than the file beside it, and a token must not be sent as another kind
// of token or to another provider.
func label(kind string, grant Grant) string {
	return Fingerprint(Secret(kind+"\n"+grant.ClientID+"\n"+grant.Issuer)) + ":"
}

const (
	kindAccess  = "access_token"
	kindRefresh = "refresh_token"
	sealMark    = "sealed:"
)

// split divides a grant into the entry for the keyring and the rest for a file.
func split(name string, grant Grant) (entry string, rest Grant, err error) {
	entry = label(kindRefresh, grant) + grant.Refresh.Reveal()
	if grant.Refresh.IsZero() {
		entry = label(kindAccess, grant) + grant.Access.Reveal()
	}
	grant.Access, err = seal(name, entry, grant.Access)
	grant.Refresh = ""
	return entry, grant, err
}

// joined is what split divided. A rest that was not sealed under this entry is
// from before it: its access token is lost, and a refusal or a mark was about another refresh token.
func joined(name string, rest Grant, entry string) (Grant, error) {
	refresh, renewable := strings.CutPrefix(entry, label(kindRefresh, rest))
	switch {
	case renewable:
		rest.Refresh = Secret(refresh)
	case !strings.HasPrefix(entry, label(kindAccess, rest)):
		return Grant{}, fmt.Errorf("%w: the one in the keyring was made for another client_id or provider", ErrNoGrant)
	}
	access, err := unseal(name, entry, rest.Access)
	if err != nil {
		access, rest.Refused, rest.PendingSince = "", "", time.Time{}
	}
	rest.Access = access
	return rest, nil
}

// seal encrypts an access token with AES-256-GCM, bound to the credential's name.
// The random nonce comes first.
func seal(name, entry string, access Secret) (Secret, error) {
	box, err := sealer(entry)
	if err != nil {
		return "", err
	}
	sealed := box.Seal(nil, nil, []byte(access), []byte(name))
	return Secret(sealMark + base64.StdEncoding.EncodeToString(sealed)), nil
}

func unseal(name, entry string, sealed Secret) (Secret, error) {
	box, err := sealer(entry)
	if err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed.Reveal(), sealMark))
	if err != nil {
		return "", err
	}
	access, err := box.Open(nil, nil, text, []byte(name))
	return Secret(access), err
}

// sealer derives its key with HKDF (RFC 5869); tokens have the entropy for that.
func sealer(entry string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(entry), nil, "avsproxy: access token beside a keyring entry", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
