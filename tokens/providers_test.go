package tokens

import (
	"strings"
	"testing"
)

func TestProvidersAreUsable(t *testing.T) {
	for _, name := range ProviderNames() {
		p, ok := FindProvider(name, "")
		if !ok || p.Name != name || p.AuthURL == "" || p.TokenURL == "" {
			t.Errorf("%s: %+v", name, p)
		}
		for _, address := range []string{p.AuthURL, p.TokenURL, p.DeviceURL, p.RevokeURL} {
			if address != "" && !strings.HasPrefix(address, "https://") {
				t.Errorf("%s: %s", name, address)
			}
		}
	}
	if _, ok := FindProvider("oauth2", ""); ok {
		t.Error("found what there is not")
	}
}

func TestAmazonHasThreeRegions(t *testing.T) {
	for region, host := range map[string]string{"": "api.amazon.com", "na": "api.amazon.com", "eu": "api.amazon.co.uk", "fe": "api.amazon.co.jp"} {
		p, ok := FindProvider("amazon", region)
		if !ok || p.TokenURL != "https://"+host+"/auth/o2/token" || p.DeviceURL != "https://"+host+"/auth/O2/create/codepair" || !p.CodeBasedLinking {
			t.Errorf("%q: %+v", region, p)
		}
	}
	if _, ok := FindProvider("amazon", "mars"); ok {
		t.Error("a region that there is not")
	}
}
