package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/elazarl/goproxy"
	"github.com/rogpeppe/go-internal/testscript"
)

const corporateUser = "user:c4n4ry-p@ss"

// corporateCmd starts a proxy that wants a user name and password. It sets $CORPORATE,
// with them, and $CORPORATE_BARE, and writes each host it connects to into
// corporate.log. Whatever the name, port 443 leads to the sandbox's AVS and any other
// to its LWA.
func corporateCmd(ts *testscript.TestScript, neg bool, args []string) {
	file, err := os.OpenFile(ts.MkAbs("corporate.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	avs, lwa := strings.TrimPrefix(ts.Getenv("AVS"), "https://"), strings.TrimPrefix(ts.Getenv("LWA"), "https://")
	server := goproxy.NewProxyHttpServer()
	server.Logger = log.New(io.Discard, "", 0)
	server.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		if ctx.Req.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(corporateUser)) {
			ctx.Resp = &http.Response{StatusCode: http.StatusProxyAuthRequired, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
			return goproxy.RejectConnect, host
		}
		fmt.Fprintln(file, "CONNECT", host)
		return goproxy.OkConnect, host
	})
	server.ConnectDial = func(network, host string) (net.Conn, error) {
		if strings.HasSuffix(host, ":443") {
			return net.Dial(network, avs)
		}
		return net.Dial(network, lwa)
	}
	corporate := httptest.NewServer(server)
	ts.Defer(func() { corporate.Close(); file.Close() })
	name, password, _ := strings.Cut(corporateUser, ":")
	ts.Setenv("CORPORATE_BARE", corporate.URL)
	ts.Setenv("CORPORATE", strings.Replace(corporate.URL, "://", "://"+url.UserPassword(name, password).String()+"@", 1))
}
