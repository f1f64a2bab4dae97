package tokens

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const formatVersion = 1

// An envelope is the stored form of a grant.
type envelope struct {
	Version    int             `json:"version"`
	Credential string          `json:"credential"`
	SHA256     string          `json:"sha256"` // of Grant without insignificant white space
	Grant      json.RawMessage `json:"grant"`
}

// storedGrant adds the tokens, which the JSON of a [Grant] leaves out.
type storedGrant struct {
	Grant
	AccessToken  string `json:"access_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

func formatGrant(name string, g Grant) ([]byte, error) {
	grant, err := json.Marshal(storedGrant{g, g.Access.Reveal(), g.Refresh.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("writing the login of %s: %w", name, err)
	}
	text, err := json.MarshalIndent(envelope{formatVersion, name, checksum(grant), grant}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the login of %s: %w", name, err)
	}
	if len(text) >= grantMaxBytes {
		return nil, fmt.Errorf("the login of %s is too large to be saved (%d bytes)", name, len(text))
	}
	return padded(text), nil
}

// padded fills up to whole pages of a disk, so that the next generation, which may
// be a little longer, fits where this one is.
func padded(text []byte) []byte {
	const page, reserve = 4 << 10, 512
	return resized(text, (len(text)+reserve)/page*page+page)
}

// resized makes text as long as size by the spaces at its end, or as short as it can be.
func resized(text []byte, size int) []byte {
	text = bytes.TrimRight(text, " \n")
	spaces := max(0, size-len(text)-1)
	return append(append(bytes.Clone(text), bytes.Repeat([]byte{' '}, spaces)...), '\n')
}

func parseGrant(path, name string, text []byte) (Grant, error) {
	var file envelope
	if err := json.Unmarshal(text, &file); err != nil || file.Version < 1 {
		return Grant{}, damaged(path)
	}
	if file.Version > formatVersion {
		return Grant{}, unusable(path, fmt.Sprintf("was written by a newer avsproxy (format %d)", file.Version),
			"use that version, or move the file away and log in again")
	}
	if file.Credential != name {
		return Grant{}, unusable(path, fmt.Sprintf("holds the login of %.40q", file.Credential), "move it away and log in again")
	}
	var stored storedGrant
	if file.SHA256 != checksum(file.Grant) || json.Unmarshal(file.Grant, &stored) != nil {
		return Grant{}, damaged(path)
	}
	stored.Access, stored.Refresh = Secret(stored.AccessToken), Secret(stored.RefreshToken)
	return stored.Grant, nil
}

// damaged leaves out the parser's own words: they would quote the text.
func damaged(path string) error {
	e := unusable(path, "is damaged", "put a backup in its place, or log in again; the file is kept beside the new one")
	e.damaged = true
	return e
}

func checksum(grant json.RawMessage) string {
	var compact bytes.Buffer
	if json.Compact(&compact, grant) != nil {
		return "" // never what a file says
	}
	sum := sha256.Sum256(compact.Bytes())
	return hex.EncodeToString(sum[:])
}
