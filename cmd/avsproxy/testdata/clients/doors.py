# Prints a line for each door that Python's own clients pass.
import http.client, os, socket, ssl, sys, urllib.request
port, unix, root, api = sys.argv[1:]
trust = ssl.create_default_context(cafile=root)

def told(name, conn, path="/ping", **headers):
    conn.request("GET", path, headers=headers)
    print(name, conn.getresponse().status)

class Old(http.client.HTTPConnection):
    _http_vsn, _http_vsn_str = 10, "HTTP/1.0"

class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(unix)

told("http.client", http.client.HTTPConnection("localhost", port))
told("HTTP/1.0", Old("localhost", port), Host="localhost")
told("TLS", http.client.HTTPSConnection("localhost", port, context=trust))
told("unix", Unix("localhost"))
told("absolute", http.client.HTTPConnection("localhost", port), "http://%s/ping" % api)
inner = http.client.HTTPSConnection("localhost", port, context=trust)
inner.set_tunnel(api, 443)
told("CONNECT", inner)
print("urllib", urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://localhost:%s/ping" % port).status)
both = urllib.request.ProxyHandler({"http": "http://localhost:" + port, "https": "http://localhost:" + port})
opener = urllib.request.build_opener(both, urllib.request.HTTPSHandler(context=trust))
for scheme in "http", "https":
    print("urllib, proxy,", scheme, opener.open("%s://%s/ping" % (scheme, api)).status)
