package certs

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// canonical is the spelling in which hosts are compared: lower case without a dot at
// the end, addresses as Go prints them.
func canonical(host string) string {
	if ip := net.ParseIP(host); ip != nil {
		return ip.String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// checkHost refuses what is not one host in name constraints. An empty name would
// permit every name (RFC 5280 section 4.2.1.10).
func checkHost(host string) error {
	if net.ParseIP(host) != nil || isHostName(host) {
		return nil
	}
	return fmt.Errorf("%q is not a host that a certificate can be made for", host)
}

// canonicalHosts sorts the hosts, without repeated and local ones.
func canonicalHosts(hosts []string) ([]string, error) {
	var list []string
	for _, host := range hosts {
		host = canonical(host)
		if err := checkHost(host); err != nil {
			return nil, err
		}
		if !isLocal(host) {
			list = append(list, host)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func isHostName(name string) bool {
	outside := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")
	return outside == "" && name != "" && len(name) <= 253 && !strings.Contains("."+name+".", "..")
}

// isLocal reports whether every authority signs for the name: localhost, its
// subdomains and loopback addresses.
func isLocal(name string) bool {
	if ip := net.ParseIP(name); ip != nil {
		return ip.IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") && isHostName(name)
}

// notPermitted lists the hosts that the root's constraints do not permit.
func notPermitted(root *x509.Certificate, hosts []string) (list []string) {
	for _, host := range hosts {
		if !permits(root, host) {
			list = append(list, host)
		}
	}
	return list
}

func permits(root *x509.Certificate, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return slices.ContainsFunc(root.PermittedIPRanges, func(block *net.IPNet) bool { return block.Contains(ip) })
	}
	return slices.ContainsFunc(root.PermittedDNSDomains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}

// permitted are the hosts of a root's constraints without the local ones.
func permitted(root *x509.Certificate) (hosts []string) {
	for _, domain := range root.PermittedDNSDomains {
		if !isLocal(domain) {
			hosts = append(hosts, domain)
		}
	}
	for _, block := range root.PermittedIPRanges {
		if !block.IP.IsLoopback() {
			hosts = append(hosts, block.IP.String())
		}
	}
	return hosts
}

// constrain writes the local names and the hosts into a root's constraints.
func constrain(template *x509.Certificate, hosts []string) {
	_, loopback4, _ := net.ParseCIDR("127.0.0.0/8")
	_, loopback6, _ := net.ParseCIDR("::1/128")
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains = []string{"localhost"}
	template.PermittedIPRanges = []*net.IPNet{loopback4, loopback6}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip == nil {
			template.PermittedDNSDomains = append(template.PermittedDNSDomains, host)
		} else {
			template.PermittedIPRanges = append(template.PermittedIPRanges, single(ip))
		}
	}
}

// single is the range of one address.
func single(ip net.IP) *net.IPNet {
	if ip4 := ip.To4(); ip4 != nil {
		ip = ip4
	}
	return &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))}
}
