package tokens

// Endpoints are where a provider is spoken to.
type Endpoints struct {
	AuthURL, TokenURL string
}

// amazon lists Login with Amazon's endpoints by region. A code is valid on every
// token host, whichever consent host issued it.
var amazon = map[string]Endpoints{
	"na": {"https://www.amazon.com/ap/oa", "https://api.amazon.com/auth/o2/token"},
	"eu": {"https://eu.account.amazon.com/ap/oa", "https://api.amazon.co.uk/auth/o2/token"},
	"fe": {"https://apac.account.amazon.com/ap/oa", "https://api.amazon.co.jp/auth/o2/token"},
}

// Amazon returns Login with Amazon's endpoints for a region: "na", "eu" or "fe".
// Any other is taken for "na".
func Amazon(region string) Endpoints {
	if endpoints, ok := amazon[region]; ok {
		return endpoints
	}
	return amazon["na"]
}
