package doctor

import (
	"crypto/x509"

	"github.com/smallstep/truststore"
)

// TrustName begins the names of our certificates in stores.
const TrustName = "avsproxy-"

// A trustStore is one that programs have besides the system's.
type trustStore struct {
	name    string
	without string // what comes of it where the authority is not trusted
	next    string
	minor   bool // that is no fault
	truststore.Trust
}

// TrustStores are about the stores of browsers and of Java, where this machine has them.
// Programs under 'avsproxy run' need none of these.
func TrustStores(root *x509.Certificate) (all []Finding) {
	if root == nil {
		return nil
	}
	truststore.WithPrefix(TrustName)(nil) // the library keeps it for all stores, and asks for no others
	var stores []trustStore
	if nss, err := truststore.NewNSSTrust(); err == nil {
		stores = append(stores, trustStore{
			"the browsers' stores (NSS)", "Firefox and Chrome warn of the console's https, as at the end of a login",
			"'avsproxy ca trust --browsers --no-system' ends that", true, nss,
		})
	}
	if java, err := truststore.NewJavaTrust(); err == nil {
		stores = append(stores, trustStore{
			"the store of JAVA_HOME", "programs in Java refuse https through the proxy, but for those of 'avsproxy run'",
			"run 'avsproxy ca trust --java --no-system'", false, java,
		})
	}
	for _, store := range stores {
		if store.PreCheck() == nil {
			all = append(all, store.finding(root))
		}
	}
	return all
}

func (s trustStore) finding(root *x509.Certificate) Finding {
	const check = "certificates"
	switch {
	case s.Exists(root):
		return ok(check, "the authority is trusted by %s", s.name)
	case s.minor:
		return ok(check, "the authority is not trusted by %s, so %s; %s", s.name, s.without, s.next)
	}
	return warn(check, "the authority is not trusted by "+s.name+", so "+s.without, s.next)
}
