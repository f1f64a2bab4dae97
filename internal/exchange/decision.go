package exchange

// A Decision is what was done about the credential of a request.
type Decision string

const (
	Injected      Decision = "injected"       // the route's credential was added
	NoCredential  Decision = "no_credential"  // the route has none; the request passed as it was
	Kept          Decision = "kept"           // the client's own credential was left in place
	LoginMissing  Decision = "login_required" // answered locally: nobody has logged in
	RefreshFailed Decision = "refresh_failed" // answered locally: the token ended and could not be renewed
	Refused       Decision = "refused"        // answered locally: policy
	StoodIn       Decision = "stood_in"       // answered locally: a token request, with a placeholder
	Shared        Decision = "shared"         // a client of the downchannel that the proxy holds
	Tunnelled     Decision = "tunnelled"      // a CONNECT whose bytes nobody looked at
)
