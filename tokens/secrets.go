package tokens

import "slices"

// knownTokens are the tokens that a source has in memory.
type knownTokens struct {
	grant    Grant
	stored   Grant    // what the store held when we last saw it; zero = nothing that could be used
	spent    Secret   // the refresh token that the present one has replaced
	rejected Secret   // an access token the upstream refused
	former   []Secret // tokens that were replaced, the latest last
	listed   struct { // what secrets returned last
		held [6]Secret
		list []Secret
	}
}

// formerMost is how many tokens that were replaced are remembered, so that an answer
// which repeats one of them later does not show it.
const formerMost = 8

func (k *knownTokens) secrets() []Secret {
	held := [...]Secret{k.grant.Access, k.grant.Refresh, k.stored.Access, k.stored.Refresh, k.spent, k.rejected}
	if held != k.listed.held { // asked for with each request, and different once an hour
		k.listed.held = held
		k.listed.list = slices.Clone(k.former)
		for _, secret := range held {
			if !secret.IsZero() && !slices.Contains(k.listed.list, secret) {
				k.listed.list = append(k.listed.list, secret)
			}
		}
	}
	return k.listed.list
}

// hold makes grant the present one.
func (k *knownTokens) hold(grant Grant) {
	for _, old := range []Secret{k.grant.Access, k.grant.Refresh} {
		if old.IsZero() || old == grant.Access || old == grant.Refresh || slices.Contains(k.former, old) {
			continue
		}
		if k.former = append(k.former, old); len(k.former) > formerMost {
			k.former = slices.Delete(k.former, 0, 1)
		}
	}
	k.grant = grant
}

// Secrets returns the tokens of this process, from memory: the present ones, the last
// few that they replaced, and what the store was seen to hold. It is for who hides
// them in what others said; nothing in it is for printing, or to be written to.
func (s *Source) Secrets() []Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets()
}
