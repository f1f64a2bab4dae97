package tokens

import (
	"context"
	"errors"
)

// Imported is a grant of this client that consists of a refresh token which was
// got elsewhere; it is for [Source.Import] and [Source.Start].
func (c *Client) Imported(refresh Secret) Grant {
	grant := c.newGrant("refresh_token")
	grant.Refresh = refresh
	return grant
}

// Import makes a refresh token that was got elsewhere the login, once a renewal
// has proven that it works; the grant says to which client it belongs. What is
// stored stays where it does not.
func (s *Source) Import(ctx context.Context, grant Grant) error {
	// First it is kept beside: what could not be kept afterwards must not be spent now.
	beside := s.key() + ".importing"
	if err := s.Store.Save(beside, grant); err != nil {
		return unsavedError(err)
	}
	renewed, err := s.Renew(ctx, grant)
	if err == nil {
		err = s.Put(ctx, renewed)
	} else {
		err = asError(err)
	}
	return errors.Join(err, s.Store.Delete(beside))
}
