// Package share gives live access tokens of one avsproxy to others: never refresh tokens, and to
// those alone that the configuration names.
package share

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/peer"
	"avsproxy/tokens"
)

// A Handler answers those that take tokens. Set the fields before it serves.
type Handler struct {
	// Sources are the sources of the credentials by their names.
	Sources map[string]*tokens.Source
	// Clients are the credentials that a client may take, by the DNS name or common name of its
	// certificate, or by "user:NUMBER" of a user of this machine; "*" = all.
	Clients map[string][]string
	// Self is the user it runs as, who may take all over a unix socket.
	Self int
	// Peer is who is at the other end of a request's connection.
	Peer func(*http.Request) peer.Peer
	// Taken is told of each answer; may be nil.
	Taken func(client, credential string, status int)

	mu      sync.Mutex
	changed map[string]chan struct{} // closed at a renewal
}

// Changed lets those go on that wait for another token of a credential.
func (h *Handler) Changed(credential string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.changed[credential]; c != nil {
		close(c)
		delete(h.changed, credential)
	}
}

func (h *Handler) change(credential string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = map[string]chan struct{}{}
	}
	if h.changed[credential] == nil {
		h.changed[credential] = make(chan struct{})
	}
	return h.changed[credential]
}

// ServeHTTP implements [http.Handler].
//
//	GET  /v1/tokens/NAME                      the present token
//	GET  /v1/tokens/NAME?not=FINGERPRINT      the next one, or 204 after a while
//	POST /v1/tokens/NAME?rejected=FINGERPRINT another one, since an upstream refused that
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := h.client(r)
	name, found := strings.CutPrefix(r.URL.Path, tokens.RemotePath)
	status := http.StatusOK
	switch source := h.Sources[name]; {
	case !found:
		status = refuse(w, http.StatusNotFound, "there is nothing here", "ask for "+tokens.RemotePath+"NAME")
	case client == "":
		status = refuse(w, http.StatusForbidden, "it is not known who asks", "use the unix socket, or TLS with a certificate that client_ca has signed")
	case !h.may(client, name):
		status = refuse(w, http.StatusForbidden, "this client may not take tokens of that credential", "name it in clients of [share]: "+strconv.Quote(client))
	case source == nil:
		status = refuse(w, http.StatusNotFound, "there is no such credential", "see [credential] in the owner's configuration")
	case r.Method == http.MethodPost:
		h.reject(r.Context(), source, r.FormValue("rejected"))
		status = h.answer(w, r, source, "")
	case r.Method == http.MethodGet:
		status = h.answer(w, r, source, h.await(r.Context(), name, source, r.FormValue("not")))
	default:
		w.Header().Set("Allow", "GET, POST")
		status = refuse(w, http.StatusMethodNotAllowed, "that method means nothing here", "use GET or POST")
	}
	if h.Taken != nil {
		h.Taken(client, name, status)
	}
}

// userPrefix begins the names of users; no name in a certificate is one.
const userPrefix = "user:"

// lookAgain is how often a question that waits is looked at, for a login that was made meanwhile.
const lookAgain = 2 * time.Second

// client is who asks; empty = unknown.
func (h *Handler) client(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		leaf := r.TLS.VerifiedChains[0][0]
		for _, name := range append(slices.Clone(leaf.DNSNames), leaf.Subject.CommonName) {
			if h.Clients[name] != nil && !strings.HasPrefix(name, userPrefix) {
				return name
			}
		}
		return "the certificate of " + leaf.Subject.CommonName
	}
	if p := h.Peer(r); p.Known && p.Transport == peer.Socket {
		return userPrefix + strconv.Itoa(p.UID)
	}
	return ""
}

func (h *Handler) may(client, credential string) bool {
	if client == userPrefix+strconv.Itoa(h.Self) {
		return true
	}
	list := h.Clients[client]
	return slices.Contains(list, credential) || slices.Contains(list, "*")
}

// await waits for another token than the one that is known, for a while. It returns the one that is
// still known; empty = there is another, or none was known.
func (h *Handler) await(ctx context.Context, name string, source *tokens.Source, known string) string {
	ctx, cancel := context.WithTimeout(ctx, tokens.RemoteWait)
	defer cancel()
	for known != "" {
		change := h.change(name) // before the look
		token, err := source.Token(ctx)
		if err == nil && tokens.Fingerprint(token.Access) != known {
			return ""
		}
		select {
		case <-change:
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return known
		}
	}
	return ""
}

// reject has the token renewed for all, if it is still the present one.
func (h *Handler) reject(ctx context.Context, source *tokens.Source, fingerprint string) {
	if token, err := source.Token(ctx); err == nil && tokens.Fingerprint(token.Access) == fingerprint {
		source.Reject(token)
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, source *tokens.Source, known string) int {
	if known != "" {
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent
	}
	token, err := source.Token(r.Context())
	if err != nil {
		return refuseFor(w, err)
	}
	answer := tokens.RemoteToken{Access: token.Access.Reveal()}
	if !token.Expiry.IsZero() {
		answer.ExpiresIn = time.Until(token.Expiry).Seconds()
	}
	return write(w, http.StatusOK, answer)
}

func refuse(w http.ResponseWriter, status int, message, hint string) int {
	return write(w, status, tokens.RemoteError{Action: tokens.ActionConfig, Message: message, Hint: hint})
}

func refuseFor(w http.ResponseWriter, err error) int {
	said := tokens.RemoteError{Action: tokens.ActionRetry, Message: err.Error(), Hint: "try again"}
	if e, ok := errors.AsType[*tokens.Error](err); ok {
		said = tokens.RemoteError{Action: e.Action, Code: e.Code, Message: e.Message, Hint: e.Hint, RetryAfter: e.RetryAfter.Seconds()}
	}
	return write(w, http.StatusServiceUnavailable, said)
}

func write(w http.ResponseWriter, status int, value any) int {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that is gone asks again
	return status
}
