package tokens_test

import (
	"context"
	"fmt"
	"time"

	"avsproxy/tokens"
)

// A source needs a store and a way to renew; a [tokens.Client] is the usual one.
func ExampleSource() {
	store := &tokens.MemoryStore{} // a process that should remember takes a FileStore
	source := &tokens.Source{
		Name:  "alexa",
		Store: store,
		Renew: func(_ context.Context, old tokens.Grant) (tokens.Grant, error) {
			old.Access, old.Renewed, old.Expiry = "a-new-one", time.Now(), time.Now().Add(time.Hour)
			return old, nil
		},
		Outcome: func(outcome tokens.Outcome) { fmt.Println("renewal:", outcome) },
	}
	if _, err := source.Token(context.Background()); err != nil {
		fmt.Println(err)
	}

	login := tokens.Grant{Access: "from-the-login", Refresh: "kept", Expiry: time.Now().Add(time.Hour)}
	if err := source.SetGrant(context.Background(), login); err != nil {
		fmt.Println(err)
	}
	token, err := source.Token(context.Background())
	fmt.Println(token.Access, token.Access.Reveal(), err)

	token, err = source.Fresh(context.Background(), 2*time.Hour)
	fmt.Println(token.Access.Reveal(), err)
	// Output:
	// renewal: login_needed
	// nobody is logged in
	// *** from-the-login <nil>
	// renewal: renewed
	// a-new-one <nil>
}
